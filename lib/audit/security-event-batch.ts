import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../context.js";
import { securityEvents } from "../db/schema/security.js";
import { securityEventsDropped } from "../observability/log-lines/security.js";

type Row = typeof securityEvents.$inferInsert & {
  count: number;
  data: Record<string, string | number>;
};

interface Batch {
  rows: Row[];
  /** Per event and route: the count, and from the 11th on the row that counts the rest. */
  kinds: Map<string, { seen: number; rest?: Row }>;
  dropped: number;
  written?: Promise<void>;
}

interface Batches {
  open: Batch;
  writing: Promise<void>;
  /** Before this time (`performance.now()`) no batch is written. */
  nextWriteMs: number;
}

/** The time between two batches, which bounds statements and rows during a flood. */
const gatheringMs = 50;
const equalRowsMax = 10;
const rowsMax = 500;

const slot = Symbol.for("linguamate.securityEvents");
const shared = globalThis as { [slot]?: Batches };

/**
 * Write the row after the reply, batched with those of other requests. Every request waits for its batch after its
 * reply, because the process may be frozen. In a flood equal events share a row, and rows beyond 500 are dropped. Without
 * Postgres the batch is lost; the log lines remain.
 */
export function recordLater(ctx: Context, row: Row): void {
  shared[slot] ??= { open: emptyBatch(), writing: Promise.resolve(), nextWriteMs: 0 };
  const batches = shared[slot];
  const batch = batches.open;
  add(batch, row);
  ctx.after(() => {
    batch.written ??= write(ctx, batches, batch);
    return batch.written;
  });
}

function add(batch: Batch, row: Row): void {
  const name = `${row.event} ${row.route}`;
  const kind = batch.kinds.get(name) ?? { seen: 0 };
  if (kind.rest) {
    mergeInto(kind.rest, row);
    return;
  }
  if (batch.rows.length === rowsMax) {
    batch.dropped++;
    return;
  }
  batch.rows.push(row);
  kind.seen++;
  if (kind.seen > equalRowsMax) kind.rest = row;
  batch.kinds.set(name, kind);
}

function mergeInto(rest: Row, { ip, userId, data }: Row): void {
  rest.count++;
  if (rest.ip !== ip) rest.ip = null;
  if (rest.userId !== userId) rest.userId = null;
  const common = Object.entries(rest.data).filter(([name, value]) => data[name] === value);
  rest.data = Object.fromEntries(common);
}

async function write(ctx: Context, batches: Batches, batch: Batch): Promise<void> {
  const waitMs = Math.min(batches.nextWriteMs - performance.now(), gatheringMs);
  await Promise.all([waitMs > 0 ? sleep(waitMs) : null, batches.writing]);
  batches.nextWriteMs = performance.now() + gatheringMs;
  batches.open = emptyBatch();
  batches.writing = insert(ctx, batch);
  await batches.writing;
}

/** Never rejects: a retry is not useful, and each waiting request would log the error. */
async function insert(ctx: Context, { rows, dropped }: Batch): Promise<void> {
  try {
    await ctx.db.insert(securityEvents).values(rows);
    if (dropped > 0) securityEventsDropped(ctx.correlationId, dropped, "too many at once");
  } catch (error) {
    const count = rows.reduce((sum, row) => sum + row.count, dropped);
    securityEventsDropped(ctx.correlationId, count, error);
  }
}

function emptyBatch(): Batch {
  return { rows: [], kinds: new Map(), dropped: 0 };
}
