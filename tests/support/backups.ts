import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import pg from "pg";
import { afterEach } from "vitest";
import type { BackupContext } from "../../lib/archives/archive.js";
import { generateBackupKey, openBackupKeys } from "../../lib/archives/backup-keys.js";
import { folderStore } from "../../lib/archives/store/folder.js";
import { backupCommand } from "../../lib/self-hosted/backup/command.js";

/** A temporary folder for each call, removed after the test. */
export function useFolders(): () => string {
  const made: string[] = [];
  afterEach(() => {
    for (const path of made.splice(0))
      rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  });
  return () => {
    const path = mkdtempSync(join(tmpdir(), "hosted-backup-"));
    made.push(path);
    return path;
  };
}

export const backupKey = await generateBackupKey();
export const otherKey = await generateBackupKey();
export const backupKeys = await openBackupKeys([backupKey]);

export function contextOf(folder: string, databaseUrl = ""): BackupContext {
  return {
    store: folderStore(folder),
    keys: backupKeys,
    databaseUrl,
    environment: { PATH: process.env.PATH },
    release: "release-of-the-tests",
    now: () => new Date(),
    warn: () => {},
  };
}

/** `npm run backup -- ARGS`, in this process. */
export async function runBackup(
  args: string[],
  env: Record<string, string | undefined>,
  options: Parameters<typeof backupCommand>[3] = {},
) {
  const out: string[] = [];
  const error: string[] = [];
  const status = await backupCommand(
    args,
    { PATH: process.env.PATH, BACKUP_KEY: backupKey, ...env },
    { out: (line) => void out.push(line), error: (line) => void error.push(line) },
    options,
  );
  return { status, out: out.join("\n"), error: error.join("\n") };
}

/** An empty database, or none at all, on the server of the tests. */
export async function emptyDatabase(suffix: string, { create = true } = {}) {
  const url = new URL(process.env.TEST_DATABASE_URL ?? "");
  const name = `backup_${suffix}_${process.pid}_${Date.now().toString(36)}`;
  const server = new pg.Client({ connectionString: url.toString() });
  await server.connect();
  if (create) await server.query(`create database ${name}`);
  return {
    url: Object.assign(url, { pathname: name }).toString(),
    name,
    server,
    async drop() {
      const { rows } = await server.query("select datname from pg_database where datname like $1", [
        `${name}%`,
      ]);
      for (const { datname } of rows) await server.query(`drop database "${datname}" with (force)`);
      await server.end();
    },
  };
}

export async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
