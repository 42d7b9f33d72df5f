import { sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { isDataRefused, isPartitionMissing } from "../db/failures.js";
import { entriesUnreadable } from "../observability/log-lines/telemetry.js";
import { moveCursor } from "./drain-statement.js";
import { ensurePartitions } from "./partitions.js";
import {
  type Entry,
  readEntries,
  type StoredEntry,
  sizeOf,
  takenMs,
  trimEntries,
} from "./stream.js";

export interface Drained {
  /** Requests whose events were written. */
  events: number;
  /** True when nothing was left in the stream as this run read it. */
  isComplete: boolean;
}

const entriesMax = 100;
const statementBytesMax = 512 * 1024;
const rivalsMax = 5;
/** An event is in its process for so long at most before Redis has it, or it is lost. */
const underwayMs = 1000;

/**
 * Carry events from Redis into Postgres, for at most `budgetMs` while there are any. Any number may do
 * it at once and be killed at any point: nothing is lost or written twice that Redis has taken. Rejects
 * when one of the stores is away; what was not written waits in the stream.
 */
export async function drainEvents(ctx: Context, { budgetMs = 20_000 } = {}): Promise<Drained> {
  const endMs = performance.now() + budgetMs;
  const drained: Drained = { events: 0, isComplete: false };
  let cursor = await readCursor(ctx);
  let rivals = 0;
  do {
    const readMs = Date.now();
    const entries = await readEntries(cursor, entriesMax);
    const taken = fittingOneStatement(entries);
    const isComplete = taken.length === entries.length && entries.length < entriesMax;
    const step = await write(ctx, { cursor, taken, isComplete, readMs });
    if (step) {
      drained.events += step.events;
      drained.isComplete = step.isComplete;
      cursor = step.cursor;
      await trimEntries(cursor, step.bytes, step.isComplete ? readMs : null);
    } else {
      if (++rivals > rivalsMax) break;
      cursor = await readCursor(ctx);
    }
  } while (!drained.isComplete && performance.now() < endMs);
  return drained;
}

interface Step {
  cursor: string;
  taken: StoredEntry[];
  isComplete: boolean;
  /** When the stream was asked. */
  readMs: number;
}

type Written = Drained & { cursor: string; bytes: number };

/** Write some entries and move the cursor past them; null when a rival was faster. */
async function write(ctx: Context, step: Step): Promise<Written | null> {
  try {
    return await run(ctx, step, step.taken.flatMap(readable(ctx)));
  } catch (error) {
    if (isPartitionMissing(error)) {
      await ensurePartitions(ctx);
      return run(ctx, step, step.taken.flatMap(readable(ctx)));
    }
    if (!isDataRefused(error)) throw error;
    const [first, ...others] = step.taken;
    if (!first) throw error;
    // One of them is not what a batch looks like: found by halving, it must not hold up the others.
    if (others.length > 0) {
      const half = step.taken.slice(0, Math.ceil(step.taken.length / 2));
      return write(ctx, { ...step, taken: half, isComplete: false });
    }
    entriesUnreadable(ctx.correlationId, 1, error);
    return run(ctx, step, []);
  }
}

async function run(ctx: Context, step: Step, entries: Entry[]): Promise<Written | null> {
  const { cursor, taken, isComplete, readMs } = step;
  const next = taken.at(-1)?.id ?? cursor;
  const takenBytes = taken.reduce((sum, { text }) => sum + sizeOf(text), 0);
  const lagMs = isComplete ? 0 : Math.max(0, readMs - takenMs(next));
  const [result] = await moveCursor(ctx.db, {
    cursor,
    next,
    until: isComplete ? new Date(readMs - underwayMs).toISOString() : null,
    entries: JSON.stringify(entries.map(({ rows: lines, ...entry }) => ({ ...entry, lines }))),
    lag: lagMs / 1000,
  });
  if (!result?.moved) return null;
  return { cursor: next, bytes: takenBytes, events: result.events, isComplete };
}

function fittingOneStatement(entries: StoredEntry[]): StoredEntry[] {
  let bytes = 0;
  const end = entries.findIndex(({ text }, at) => {
    bytes += text.length;
    return at > 0 && bytes > statementBytesMax;
  });
  return end === -1 ? entries : entries.slice(0, end);
}

/** Whatever a hand has added to the stream must not stop the drain. */
const readable =
  (ctx: Context) =>
  ({ text }: StoredEntry): Entry[] => {
    try {
      const entry = JSON.parse(text) as Entry;
      if (typeof entry.instance === "string" && Array.isArray(entry.rows)) return [entry];
      throw new TypeError("It is no batch of events.");
    } catch (error) {
      entriesUnreadable(ctx.correlationId, 1, error);
      return [];
    }
  };

async function readCursor({ db }: Context): Promise<string> {
  const { rows } = await db.execute(sql`select cursor from drain_state where name = 'events'`);
  return String(rows[0]?.cursor ?? "0-0");
}
