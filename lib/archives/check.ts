import type { BackupContext } from "./archive.js";
import { withDatabaseSession } from "./database.js";
import { countUnrecorded } from "./erasures.js";
import { BackupRefusedError } from "./failures.js";
import { listBackups } from "./manifest.js";
import { oldestSpooled } from "./wal.js";

const hourMs = 3_600_000;
/** A daily backup, and the time that it takes. */
const ageMsMax = 26 * hourMs;
const spooledMsMax = hourMs / 4;
/** They are recorded each hour. */
const unrecordedMsMax = 2 * hourMs;

/** What is wrong with the backups, one sentence each; empty if nothing is. Does not read the archives. */
export async function checkBackups(
  { store, keys, databaseUrl, now }: Pick<BackupContext, "store" | "keys" | "databaseUrl" | "now">,
  spool: string | undefined,
): Promise<string[]> {
  const { complete, broken } = await listBackups(store, keys);
  const problems = broken.map(({ reason }) => reason);
  const since = (date: Date) => now().getTime() - date.getTime();
  for (const kind of spool ? (["dump", "base"] as const) : (["dump"] as const)) {
    const newest = complete.findLast((manifest) => manifest.kind === kind);
    if (!newest) problems.push(`There is no complete backup of the kind ${kind}.`);
    else if (since(new Date(newest.createdAt)) > ageMsMax) {
      problems.push(`The newest backup of the kind ${kind} is of ${newest.createdAt}.`);
    }
  }
  problems.push(...(await erasureProblems({ store, keys, databaseUrl }, now())));
  if (!spool) return problems;
  const waiting = await oldestSpooled(spool);
  if (waiting && since(waiting) > spooledMsMax) {
    problems.push(`WAL has been waiting in ${spool} since ${waiting.toISOString()}.`);
  }
  const failing = await withDatabaseSession(databaseUrl, async (session) => {
    const { rows } = await session.query(
      `select last_failed_wal from pg_stat_archiver
       where last_failed_time > coalesce(last_archived_time, '-infinity')`,
    );
    return rows[0]?.last_failed_wal;
  });
  if (failing) problems.push(`archive_command fails, last for ${failing}.`);
  return problems;
}

async function erasureProblems(
  stores: Pick<BackupContext, "store" | "keys" | "databaseUrl">,
  now: Date,
): Promise<string[]> {
  try {
    const count = await countUnrecorded(stores, new Date(now.getTime() - unrecordedMsMax));
    return count === 0 ? [] : [`${count} erasures are not recorded beside the backups.`];
  } catch (error) {
    if (!(error instanceof BackupRefusedError)) throw error;
    return [error.message];
  }
}
