import * as z from "zod";
import { auditRow, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { AppError } from "../errors.js";
import { retentionDaysMin } from "./check.js";
import { backupStore, isBackupProcessElsewhere } from "./configured-store.js";
import type { BackupStore, ScheduleItem } from "./store.js";
import { BackupStoreError } from "./store-error.js";

const daySeconds = 86_400;

export const Backups = z.strictObject({
  isConfigured: z.boolean(),
  schedule: z.array(
    z.strictObject({
      frequency: z.string(),
      hour: z.int().nullable(),
      day: z.int().nullable(),
      month: z.int().nullable(),
      retentionSeconds: z.int().nullable(),
    }),
  ),
  /** Newest first. */
  snapshots: z.array(
    z.strictObject({
      id: z.string(),
      name: z.string(),
      at: z.iso.datetime(),
      expiresAt: z.iso.datetime().nullable(),
      isManual: z.boolean(),
    }),
  ),
});
export type Backups = z.infer<typeof Backups>;

export const NewSchedule = {
  /** In UTC. */
  hour: z.int().min(0).max(23).default(2),
  retentionDays: z.int().min(1).max(35).default(retentionDaysMin),
};

/** Throws `backups_self_hosted`, `backup_store_unavailable`. */
export async function listSnapshots(ctx: Context): Promise<Backups> {
  refuseSelfHosted(ctx);
  const store = await backupStore(ctx);
  if (!store) return { isConfigured: false, schedule: [], snapshots: [] };
  return answered(async () => {
    const [schedule, snapshots] = await Promise.all([store.readSchedule(), store.listSnapshots()]);
    return {
      isConfigured: true,
      schedule,
      snapshots: snapshots
        .toSorted((one, other) => other.at.getTime() - one.at.getTime())
        .map(({ at, expiresAt, ...rest }) => ({
          ...rest,
          at: at.toISOString(),
          expiresAt: expiresAt?.toISOString() ?? null,
        })),
    };
  });
}

/**
 * Set the daily schedule; weekly and monthly ones stay. Safe to repeat. Audited before it is set, so that no change is
 * without its row. Throws `backups_not_configured`, `backups_self_hosted`, `backup_store_unavailable`.
 */
export async function setSchedule(
  ctx: Context,
  { hour, retentionDays }: { hour: number; retentionDays: number },
  { by, dryRun }: { by: OperatorAct; dryRun: boolean },
) {
  const store = await requireStore(ctx);
  const retentionSeconds = retentionDays * daySeconds;
  const before = await answered(() => store.readSchedule());
  const daily = before.filter(({ frequency }) => frequency === "daily");
  const others = before.filter(({ frequency }) => frequency !== "daily");
  const after = [{ frequency: "daily", hour, day: null, month: null, retentionSeconds }, ...others];
  const what = `a daily snapshot at ${hour}:00 UTC, kept for ${retentionDays} days`;
  if (!dryRun) {
    await auditRow(ctx, { ...by, action: "backup.schedule_set", subjectId: store.name });
    await answered(() => store.setSchedule(after));
  }
  return {
    done: dryRun ? `Would set ${what}.` : `Set ${what}.`,
    undo: undoOf(daily),
    detail: { before, after },
  };
}

/** Null when the command cannot make the schedule that was there. */
function undoOf([daily, ...more]: ScheduleItem[]): string | null {
  if (!daily || more.length > 0 || daily.hour === null || daily.retentionSeconds === null)
    return null;
  const days = daily.retentionSeconds / daySeconds;
  if (!Number.isInteger(days)) return null;
  return `npm run ops -- backup setup --hour ${daily.hour} --retention-days ${days} --reason "undo"`;
}

/** Not idempotent: each call takes one more. Throws `backups_not_configured`, `backups_self_hosted`, `backup_store_unavailable`. */
export async function takeSnapshot(
  ctx: Context,
  { by, dryRun }: { by: OperatorAct; dryRun: boolean },
) {
  const store = await requireStore(ctx);
  const name = `manual-${ctx.now.toISOString().replace(/\.\d+/, "")}`;
  const until = `kept for ${retentionDaysMin} days`;
  if (dryRun) return { done: `Would take the snapshot ${name}, ${until}.`, undo: null };
  const expiresAt = new Date(ctx.now.getTime() + retentionDaysMin * daySeconds * 1000);
  await auditRow(ctx, { ...by, action: "backup.snapshot_taken", subjectId: name });
  const snapshot = await answered(() => store.takeSnapshot({ name, expiresAt }));
  return { done: `Took the snapshot ${name}, ${until}.`, undo: null, detail: { id: snapshot.id } };
}

/** The server has neither their store nor their key. */
function refuseSelfHosted(ctx: Context): void {
  if (isBackupProcessElsewhere(ctx)) throw new AppError("backups_self_hosted");
}

async function requireStore(ctx: Context): Promise<BackupStore> {
  refuseSelfHosted(ctx);
  const store = await backupStore(ctx);
  if (!store) throw new AppError("backups_not_configured");
  return store;
}

async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (!(cause instanceof BackupStoreError)) throw cause;
    throw new AppError("backup_store_unavailable", { cause, retryAfterSeconds: 30 });
  }
}
