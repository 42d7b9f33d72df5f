import { installPlatform, platform } from "../../lib/platform/installed.js";

/** Connect to Postgres with a wrong password or database until the end of the test. */
export function changeConnection(changed: { password?: string; pathname?: string }): void {
  const { postgres, redis } = platform();
  const url = Object.assign(new URL(postgres.connectionString), changed);
  installPlatform({ postgres: { ...postgres, connectionString: url.href }, redis });
}
