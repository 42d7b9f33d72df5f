import { installPlatform, platform } from "../../lib/platform/installed.js";

/** Ask Postgres by a password or for a database that it does not know, until the end of the test. */
export function changeConnection(changed: { password?: string; pathname?: string }): void {
  const { postgres, redis } = platform();
  const url = Object.assign(new URL(postgres.connectionString), changed);
  installPlatform({ postgres: { ...postgres, connectionString: url.href }, redis });
}
