import { EnvironmentError } from "../env.js";
import { variables } from "../env-variables.js";
import { type BackupKeys, openBackupKeys } from "./backup-keys.js";

const backupVariables = variables.pick({
  DATABASE_URL: true,
  BACKUP_URL: true,
  BACKUP_KEY: true,
  BACKUP_KEY_PREVIOUS: true,
  BACKUP_WAL_DIR: true,
  AWS_ENDPOINT_URL_S3: true,
  AWS_REGION: true,
  AWS_ACCESS_KEY_ID: true,
  AWS_SECRET_ACCESS_KEY: true,
});

export interface BackupSettings {
  databaseUrl: string | undefined;
  url: string;
  keys: BackupKeys;
  /** The folder into which `archive_command` writes. */
  walFolder: string | undefined;
}

/** Needs no other variable of the backend, because a restore may run where there is none. Throws `EnvironmentError`. */
export async function readBackupSettings(
  source: Record<string, string | undefined>,
): Promise<BackupSettings> {
  const nonEmpty = Object.fromEntries(Object.entries(source).filter(([, value]) => value?.trim()));
  const parsed = backupVariables.safeParse(nonEmpty, { jitless: true });
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      ({ path, message }) => `${String(path[0])} ${message}`,
    );
    throw new EnvironmentError(problems.join("; "));
  }
  const { DATABASE_URL, BACKUP_URL, BACKUP_KEY, BACKUP_KEY_PREVIOUS, BACKUP_WAL_DIR } = parsed.data;
  const missing = Object.entries({ BACKUP_URL, BACKUP_KEY }).flatMap(([name, value]) =>
    value === undefined ? [name] : [],
  );
  if (BACKUP_URL === undefined || BACKUP_KEY === undefined) {
    throw new EnvironmentError(
      `${missing.join(" and ")} required${missing.includes("BACKUP_KEY") ? ": `npm run backup -- key` makes a key" : ""}`,
    );
  }
  if (BACKUP_URL.startsWith("s3:") && parsed.data.AWS_REGION === undefined) {
    throw new EnvironmentError("AWS_REGION required for s3:// (us-east-1 if the server has none)");
  }
  const keys = await openBackupKeys([BACKUP_KEY, ...BACKUP_KEY_PREVIOUS]).catch(() => {
    throw new EnvironmentError("BACKUP_KEY or BACKUP_KEY_PREVIOUS has a key with a typing error");
  });
  return { databaseUrl: DATABASE_URL, url: BACKUP_URL, keys, walFolder: BACKUP_WAL_DIR };
}
