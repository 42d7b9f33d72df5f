import type { BackupContext } from "./archive.js";
import { systemIdOf, withDatabaseSession } from "./database.js";
import { countUnrecorded } from "./erasures.js";
import { BackupRefusedError } from "./failures.js";
import { type BaseManifest, isFromFuture, listBackups } from "./manifest.js";
import { recoveryPath } from "./recovery-path.js";
import { oldestSpooled } from "./wal.js";

const hourMs = 3_600_000;
/** A daily backup, and the time that it takes. */
const ageMsMax = 26 * hourMs;
const spooledMsMax = hourMs / 4;
/** They are recorded each hour. */
const unrecordedMsMax = 2 * hourMs;

/** What is wrong with the backups, one sentence each; empty if nothing is. Does not read the archives. */
export async function checkArchives(
  { store, keys, databaseUrl, now }: Pick<BackupContext, "store" | "keys" | "databaseUrl" | "now">,
  spool: string | undefined,
): Promise<string[]> {
  const { complete, broken } = await listBackups(store, keys);
  const problems = broken.map(({ reason }) => reason);
  const since = (date: Date) => now().getTime() - date.getTime();
  const systemId = spool ? await withDatabaseSession(databaseUrl, systemIdOf) : undefined;
  const known = complete.filter((manifest) => !isFromFuture(manifest, now()));
  for (const manifest of complete.filter((one) => !known.includes(one))) {
    problems.push(
      `The ${manifest.kind} ${manifest.id} is of ${manifest.createdAt}, in the future.`,
    );
  }
  const bases = known.filter((manifest) => manifest.kind === "base");
  const newestOf = {
    dump: known.findLast(({ kind }) => kind === "dump"),
    base: bases.findLast((base) => base.systemId === systemId),
  };
  for (const kind of spool ? (["dump", "base"] as const) : (["dump"] as const)) {
    const newest = newestOf[kind];
    if (!newest)
      problems.push(
        `There is no complete backup of the kind ${kind}${kind === "base" ? " of this server" : ""}.`,
      );
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
  if (newestOf.base) problems.push(...(await gapsAfter({ store, keys }, newestOf.base)));
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

/** A recovery from the base backup ends at the first segment that is missing. */
async function gapsAfter(
  stores: Pick<BackupContext, "store" | "keys">,
  base: BaseManifest,
): Promise<string[]> {
  try {
    const { missing } = await recoveryPath(stores, base);
    if (missing.length === 0) return [];
    return [
      `${missing.length} WAL segments after the base backup ${base.id} are missing, the first is ${missing[0]}.`,
    ];
  } catch (error) {
    if (error instanceof BackupRefusedError) return [error.message];
    throw error;
  }
}
