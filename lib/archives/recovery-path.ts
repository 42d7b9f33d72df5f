import type { BackupContext } from "./archive.js";
import { BackupRefusedError } from "./failures.js";
import type { BaseManifest } from "./manifest.js";
import {
  historyName,
  isSegment,
  readHistory,
  segmentName,
  segmentNumber,
  segmentOf,
  storedWal,
  storedWalTimes,
  timelineOf,
} from "./wal.js";

type Stores = Pick<BackupContext, "store" | "keys">;

export interface RecoveryPath {
  /** For `recovery_target_timeline`. */
  timeline: string;
  /** The number of the timeline to which it leads. */
  end: number;
  segments: string[];
  /** Those of `segments` that the store does not have. */
  missing: string[];
  histories: string[];
}

/** A timeline, and the first segment that it has. */
interface Stretch {
  timeline: number;
  first: number;
}

/**
 * The newest base backup before `at` from which the recovery leads to the timeline that was live then, and the WAL that it
 * reads. `bases` are sorted by time. Undefined without such a base backup; throws as `recoveryPath`.
 */
export async function pathToMoment(
  stores: Stores,
  bases: readonly BaseManifest[],
  at: Date,
): Promise<{ base: BaseManifest; path: RecoveryPath } | undefined> {
  const isBefore = ({ createdAt }: BaseManifest) => new Date(createdAt) <= at;
  const systemId = bases.findLast(isBefore)?.systemId;
  const ofServer = bases.filter((base) => base.systemId === systemId);
  const before = ofServer.filter(isBefore);
  const later = ofServer.slice(before.length);
  const timeline = await liveTimeline(stores, { before, later }, at);
  const [, end] = later.filter((base) => base.timeline === timeline);
  for (const base of before.toReversed()) {
    const path = await recoveryPath(stores, base, { timeline, end });
    if (path.end === timeline) return { base, path };
  }
  return undefined;
}

/**
 * A restore to a moment leaves a timeline, and its base backups, behind. So the live one is the first that got WAL after
 * `at`, within what the base backups around `at` show.
 */
async function liveTimeline(
  { store }: Stores,
  { before, later }: { before: readonly BaseManifest[]; later: readonly BaseManifest[] },
  at: Date,
): Promise<number> {
  const reached = Math.max(1, ...before.map(({ timeline }) => timeline));
  const stored = await storedWalTimes(store, before[0]?.systemId ?? "");
  const segments = [...stored].filter(([name]) => isSegment(name));
  const newest = later[0]?.timeline ?? Math.max(...segments.map(([name]) => timelineOf(name)));
  const after = segments.filter(([, storedAt]) => storedAt >= at).map(([name]) => timelineOf(name));
  const possible = after.filter((timeline) => timeline >= reached && timeline <= newest);
  return Math.min(...possible, Math.max(reached, newest));
}

/**
 * The WAL that a recovery from `base` reads on its way to the timeline: to the base backup `end`, or else to the newest
 * segment. Leads over to a later timeline only when that one began after the base backup. Throws `BackupRefusedError`
 * without the history that tells it.
 */
export async function recoveryPath(
  { store, keys }: Stores,
  base: BaseManifest,
  to: {
    /** The newest one by default. */
    timeline?: number;
    /**
     * The second base backup after a moment: before its end is surely a commit after any moment before the first.
     */
    end?: BaseManifest | undefined;
  } = {},
): Promise<RecoveryPath> {
  const { segmentBytes, systemId } = base;
  const stored = await storedWal(store, systemId);
  const newest = Math.max(base.timeline, ...stored.map(timelineOf));
  const stretches = await stretchesTo({ store, keys }, base, to.timeline ?? newest);
  const last = stretches.at(-1) as Stretch;
  const numbers = stored
    .filter((name) => isSegment(name) && timelineOf(name) === last.timeline)
    .map((name) => segmentNumber(name, segmentBytes));
  const lastNumber =
    to.end?.timeline === last.timeline
      ? segmentOf(to.end.endWal, segmentBytes)
      : Math.max(segmentOf(base.endWal, segmentBytes), last.first - 1, ...numbers);
  const segments: string[] = [];
  for (let number = segmentOf(base.startWal, segmentBytes); number <= lastNumber; number++) {
    const { timeline } = stretches.findLast(({ first }) => first <= number) as Stretch;
    segments.push(segmentName(number, segmentBytes, timeline));
  }
  const present = new Set(stored);
  return {
    // By its number PostgreSQL would look for a history, which the timeline of the base backup may lack.
    timeline: last.timeline === base.timeline ? "current" : String(last.timeline),
    end: last.timeline,
    segments,
    missing: segments.filter((name) => !present.has(name)),
    histories: stored.filter((name) => name.endsWith(".history")),
  };
}

/**
 * Since when every moment can be restored: the oldest base backup of the newest one's server from which no WAL is missing,
 * to the timeline to which that one leads.
 */
export async function recoverableSince(
  stores: Stores,
  bases: readonly BaseManifest[],
): Promise<Date | undefined> {
  const newest = bases.at(-1);
  const target = newest && (await completeTo(stores, newest));
  if (target === undefined) return undefined;
  for (const base of bases.filter(({ systemId }) => systemId === newest?.systemId)) {
    if ((await completeTo(stores, base)) === target) return new Date(base.createdAt);
  }
  return undefined;
}

/** The timeline to which the base backup leads; undefined when WAL or a history is missing. */
async function completeTo(stores: Stores, base: BaseManifest): Promise<number | undefined> {
  try {
    const { end, missing } = await recoveryPath(stores, base);
    return missing.length === 0 ? end : undefined;
  } catch (error) {
    if (error instanceof BackupRefusedError) return undefined;
    throw error;
  }
}

/** From the base backup on; only its own timeline if the target began elsewhere or earlier. */
async function stretchesTo(
  stores: Stores,
  { systemId, timeline, endWal, segmentBytes }: BaseManifest,
  target: number,
): Promise<Stretch[]> {
  const own = { timeline, first: 0 };
  if (target === timeline) return [own];
  const name = historyName(target);
  const history = await readHistory(stores, systemId, name);
  if (history === undefined) {
    throw new BackupRefusedError(
      `wal/${systemId}/${name}.age is missing, without which no recovery leads to the timeline ${target}.`,
    );
  }
  const parents = history.map((parent) => ({
    timeline: parent.timeline,
    end: segmentOf(parent.end, segmentBytes),
  }));
  const index = parents.findIndex((parent) => parent.timeline === timeline);
  const left = parents[index];
  if (!left || left.end < segmentOf(endWal, segmentBytes)) return [own];
  const followers = [...parents.slice(index + 1).map((parent) => parent.timeline), target];
  return [
    own,
    // The segment in which a timeline ends is complete on the next one only.
    ...followers.map((follower, n) => ({
      timeline: follower,
      first: parents[index + n]?.end ?? 0,
    })),
  ];
}
