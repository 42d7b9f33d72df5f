import type { Context } from "../context.js";
import type { BackupStore } from "./store.js";

export function isBackupConfigured({ env }: Context): boolean {
  return env.backups.neon !== undefined || env.backups.hasArchives;
}

/** The backup process checks and drills: the server has neither its store nor its key. */
export function isBackupProcessElsewhere({ env }: Context): boolean {
  return env.backups.neon === undefined && env.backups.hasArchives;
}

/** Undefined when no store is configured. Loaded on demand: most calls of the functions that may use it do not. */
export async function backupStore(ctx: Context): Promise<BackupStore | undefined> {
  const { neon } = ctx.env.backups;
  if (!neon) return undefined;
  const { neonStore } = await import("./neon-api/neon-store.js");
  return neonStore(ctx, neon);
}
