import { once } from "node:events";
import process from "node:process";
import { Cron as Job } from "croner";
import { systemIdOf, withDatabaseSession } from "../../archives/database.js";
import { BackupError } from "../../archives/failures.js";
import { isFromFuture, listBackups, type Manifest } from "../../archives/manifest.js";
import { prune } from "../../archives/prune.js";
import { shipWal } from "../../archives/wal.js";
import { isDatabaseError } from "../../db/failures.js";
import { describe, type Invocation } from "./invocation.js";

/** Shorter than a day, so that the time of day does not move. */
const dueAfterMs = 23.5 * 3_600_000;

interface Takes {
  check(): Promise<void>;
  /** Of the running drill; null without one. */
  advanceDrill(): Promise<{ step: string } | null>;
  recordErasures(): Promise<void>;
  takeDump(): Promise<Manifest>;
  takeBase(): Promise<Manifest>;
}

/**
 * Ships WAL each minute. Each hour, records erasures, looks whether a backup is due, so what failed or was missed is done
 * within the hour, and checks. Advances the restore drill. On SIGTERM it returns after these jobs but
 * does not wait for a step of a drill: the caller ends the process, and the drill continues at the next start.
 */
export async function runDaily(invocation: Invocation, takes: Takes): Promise<number> {
  const { io, settings, context } = invocation;
  const logged = (what: string, job: () => Promise<void>) => async () => {
    try {
      await job();
    } catch (error) {
      io.error(`${context.now().toISOString()} ${what} failed: ${messageOf(error)}`);
    }
  };
  const { walFolder } = settings;
  const working = new Set<Promise<void>>();
  const ship = logged("Shipping WAL", async () => {
    if (walFolder) await shipWal(context, walFolder);
  });
  const record = logged("Recording erasures", () => takes.recordErasures());
  const backUp = logged("Backup", () => takeWhatIsDue(invocation, takes));
  const check = logged("Check", () => takes.check());
  let isStopping = false;
  // Beside the others: a restore may take hours. A step that is not done is repeated a minute later.
  const drill = logged("Advancing restore drills", async () => {
    for (let last = ""; !isStopping; ) {
      const step = (await takes.advanceDrill())?.step;
      if (step === undefined || step === last) return;
      last = step;
    }
  });
  const watched = (job: () => Promise<void>) => () => {
    const running = job().finally(() => working.delete(running));
    working.add(running);
    return running;
  };
  // Each waits for itself only, so that WAL is shipped during a long backup.
  const options = { utcOffset: 0, protect: true };
  const lookOnce = watched(async () => {
    await record();
    await backUp();
    await check();
  });
  const drilling = new Job("* * * * *", options, drill);
  const jobs = [new Job("* * * * *", options, watched(ship)), drilling];
  io.out(
    `Backups go to ${context.store.description} each day${walFolder ? ", WAL each minute" : ""}.`,
  );
  const first = lookOnce();
  void drilling.trigger();
  jobs.push(
    new Job("10 * * * *", options, async () => {
      await first;
      await lookOnce();
    }),
  );
  await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
  isStopping = true;
  for (const job of jobs) job.stop();
  await Promise.all(working);
  return 0;
}

/** That of a failed statement is its SQL. */
function messageOf(error: unknown): string {
  const said = isDatabaseError(error) ? ((error as Error).cause ?? error) : error;
  return (said as Error).message;
}

export async function takeWhatIsDue(
  { context, settings, io }: Invocation,
  { takeDump, takeBase }: Pick<Takes, "takeDump" | "takeBase">,
): Promise<void> {
  const { complete } = await listBackups(context.store, context.keys);
  const { walFolder, databaseUrl } = settings;
  const systemId =
    walFolder && databaseUrl ? await withDatabaseSession(databaseUrl, systemIdOf) : undefined;
  const isDue = (kind: Manifest["kind"]) => {
    const newest = complete.findLast(
      (manifest) =>
        manifest.kind === kind &&
        !isFromFuture(manifest, context.now()) &&
        (manifest.kind === "dump" || manifest.systemId === systemId),
    );
    const ageMs = newest && context.now().getTime() - Date.parse(newest.createdAt);
    return ageMs === undefined || ageMs >= dueAfterMs;
  };
  const takesDue = [
    ...(isDue("dump") ? [takeDump] : []),
    ...(walFolder && isDue("base") ? [takeBase] : []),
  ];
  if (takesDue.length === 0) return;
  const failures: string[] = [];
  for (const take of takesDue) {
    try {
      io.out(`Done: took and verified ${describe(await take())}`);
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
  const { backups } = await prune(context);
  for (const manifest of backups) io.out(`Done: deleted ${describe(manifest)}`);
  if (failures.length > 0) throw new BackupError(failures.join(" "));
}
