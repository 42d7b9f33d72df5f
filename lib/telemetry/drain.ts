import { sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { isDataInvalid, isPartitionMissing } from "../db/failures.js";
import { entriesUnreadable } from "../observability/log-lines/telemetry.js";
import { storeEntries } from "./drain-statement.js";
import { ensurePartitions } from "./partitions.js";
import {
  addedAtMs,
  type Entry,
  readEntries,
  type StoredEntry,
  sizeOf,
  trimEntries,
} from "./stream.js";

export interface DrainResult {
  events: number;
  isComplete: boolean;
}

const entriesMax = 100;
const statementBytesMax = 512 * 1024;
const conflictsMax = 5;
/** The longest time between an event and its arrival in Redis. */
const deliveryMsMax = 1000;

/**
 * Move events from Redis to Postgres; no step starts after `budgetMs`. Safe to run concurrently and to kill at any point:
 * no event is lost or written twice. Invalid entries are logged and skipped. Rejects when a store is down.
 */
export async function drainEvents(ctx: Context, { budgetMs = 20_000 } = {}): Promise<DrainResult> {
  const endMs = performance.now() + budgetMs;
  const drained: DrainResult = { events: 0, isComplete: false };
  let cursor = await readCursor(ctx);
  let conflicts = 0;
  let waiting: Waiting = { entries: [], isAll: false, readMs: 0 };
  do {
    if (waiting.entries.length === 0) waiting = await readWaiting(cursor);
    const { entries, isAll, readMs } = waiting;
    const batchEntries = entriesForOneStatement(entries);
    const isComplete = isAll && batchEntries.length === entries.length;
    const step = await write(ctx, { cursor, batchEntries, isComplete, readMs });
    if (step) {
      drained.events += step.events;
      drained.isComplete = step.isComplete;
      cursor = step.cursor;
      waiting.entries = entries.slice(entries.findIndex(({ id }) => id === cursor) + 1);
      await trimEntries(cursor, step.bytes, step.isComplete ? readMs : null);
    } else {
      if (++conflicts > conflictsMax) break;
      cursor = await readCursor(ctx);
      waiting.entries = [];
    }
  } while (!drained.isComplete && performance.now() < endMs);
  return drained;
}

interface Waiting {
  entries: StoredEntry[];
  /** The stream had no more entries at `readMs`. */
  isAll: boolean;
  readMs: number;
}

async function readWaiting(cursor: string): Promise<Waiting> {
  const readMs = Date.now();
  const entries = await readEntries(cursor, entriesMax);
  return { entries, isAll: entries.length < entriesMax, readMs };
}

interface Step {
  cursor: string;
  batchEntries: StoredEntry[];
  isComplete: boolean;
  readMs: number;
}

type Written = DrainResult & { cursor: string; bytes: number };

async function write(ctx: Context, step: Step): Promise<Written | null> {
  try {
    return await run(ctx, step, step.batchEntries.flatMap(parseEntry(ctx)));
  } catch (error) {
    if (isPartitionMissing(error)) {
      await ensurePartitions(ctx);
      return run(ctx, step, step.batchEntries.flatMap(parseEntry(ctx)));
    }
    if (!isDataInvalid(error)) throw error;
    const [first, ...others] = step.batchEntries;
    if (!first) throw error;
    // One entry is invalid. Bisect to find and skip it.
    if (others.length > 0) {
      const half = step.batchEntries.slice(0, Math.ceil(step.batchEntries.length / 2));
      return write(ctx, { ...step, batchEntries: half, isComplete: false });
    }
    entriesUnreadable(ctx.correlationId, 1, error);
    return run(ctx, step, []);
  }
}

async function run(ctx: Context, step: Step, entries: Entry[]): Promise<Written | null> {
  const { cursor, batchEntries, isComplete, readMs } = step;
  const next = batchEntries.at(-1)?.id ?? cursor;
  const batchBytes = batchEntries.reduce((sum, { text }) => sum + sizeOf(text), 0);
  const lagMs = isComplete ? 0 : Math.max(0, readMs - addedAtMs(next));
  const [result] = await storeEntries(ctx.db, {
    cursor,
    next,
    until: isComplete ? new Date(readMs - deliveryMsMax).toISOString() : null,
    entries: JSON.stringify(entries.map(({ rows: lines, ...entry }) => ({ ...entry, lines }))),
    lag: lagMs / 1000,
  });
  if (!result?.moved) return null;
  return { cursor: next, bytes: batchBytes, events: result.events, isComplete };
}

function entriesForOneStatement(entries: StoredEntry[]): StoredEntry[] {
  let bytes = 0;
  const end = entries.findIndex(({ text }, at) => {
    bytes += text.length;
    return at > 0 && bytes > statementBytesMax;
  });
  return end === -1 ? entries : entries.slice(0, end);
}

/** An invalid entry, such as a manual XADD, must not stop the drain. */
const parseEntry =
  (ctx: Context) =>
  ({ text }: StoredEntry): Entry[] => {
    try {
      const entry = JSON.parse(text) as Entry;
      if (typeof entry.instance === "string" && Array.isArray(entry.rows)) return [entry];
      throw new TypeError("Not a batch of events.");
    } catch (error) {
      entriesUnreadable(ctx.correlationId, 1, error);
      return [];
    }
  };

async function readCursor({ db }: Context): Promise<string> {
  const { rows } = await db.execute(sql`select cursor from drain_state where name = 'events'`);
  return String(rows[0]?.cursor ?? "0-0");
}
