import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { Cron as Job } from "croner";
import { systemIdOf, withDatabaseSession } from "../../archives/database.js";
import { BackupError } from "../../archives/failures.js";
import { isFromFuture, listBackups, type Manifest } from "../../archives/manifest.js";
import { prune } from "../../archives/prune.js";
import { shipWal } from "../../archives/wal.js";
import { failureMessage } from "../../db/failure-message.js";
import { describe, type Invocation } from "./invocation.js";

/** Shorter than a day, so that the time of day does not move. */
const dueAfterMs = 23.5 * 3_600_000;
/** Below the minute that docker-compose.yml gives between SIGTERM and SIGKILL. */
const endsWithinMs = 45_000;

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
 * within the hour, and checks. Advances the restore drill. On SIGTERM it ends after these jobs, and returns 1 when they take
 * too long or a second signal comes. It does not wait for a step of a drill: the caller ends the process, and the drill
 * continues at the next start.
 */
export async function runDaily(
  invocation: Invocation,
  takes: Takes,
  endMs = endsWithinMs,
): Promise<number> {
  const { io, settings, context } = invocation;
  const logged = (what: string, job: () => Promise<void>) => async () => {
    try {
      await job();
    } catch (error) {
      io.error(`${context.now().toISOString()} ${what} failed: ${failureMessage(error)}`);
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
  // Each waits for itself only: one that hangs stops no other.
  const options = { utcOffset: 0, protect: true };
  const drilling = new Job("* * * * *", options, drill);
  const recording = new Job("10 * * * *", options, watched(record));
  const backingUp = new Job("10 * * * *", options, watched(backUp));
  const checking = new Job("10 * * * *", options, watched(check));
  const shipping = new Job("* * * * *", options, watched(ship));
  io.out(
    `Backups go to ${context.store.description} each day${walFolder ? ", WAL each minute" : ""}.`,
  );
  void drilling.trigger();
  void recording.trigger();
  // Before the first backup a check would only say that there is none.
  void backingUp.trigger().then(() => checking.trigger());
  const signal = () =>
    new Promise((resolve) => {
      for (const name of ["SIGTERM", "SIGINT"]) process.once(name, resolve);
    });
  await signal();
  isStopping = true;
  for (const job of [drilling, recording, backingUp, checking, shipping]) job.stop();
  const ended = Promise.all(working).then(() => 0);
  const status = await Promise.race([ended, Promise.race([signal(), sleep(endMs)]).then(() => 1)]);
  if (status !== 0) io.error("Ended during a job, which begins again at the next start.");
  return status;
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
