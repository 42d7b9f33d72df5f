import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../context.js";
import { securityEvents } from "../db/schema/security.js";
import { securityEventsDropped } from "../observability/log-lines/security.js";

type Row = typeof securityEvents.$inferInsert & {
  count: number;
  data: Record<string, string | number>;
};

/** The events that are written by one statement. */
interface Batch {
  rows: Row[];
  /** How often an event came to a route, and the row that counts it beyond the tenth time. */
  kinds: Map<string, { seen: number; rest?: Row }>;
  /** Events for which there was no room. */
  dropped: number;
  written?: Promise<void>;
}

interface Batches {
  /** The one that takes events. */
  open: Batch;
  /** The one before it. */
  writing: Promise<void>;
}

const gatheringMs = 50;
const equalRowsMax = 10;
const rowsMax = 500;

const slot = Symbol.for("linguamate.securityEvents");
const shared = globalThis as { [slot]?: Batches };

/**
 * Write an event's row after the reply, together with those of other requests of this process. Every
 * request whose event is in a batch waits for it after its reply, so that none is left to a process that
 * is frozen. Events that happen while one batch is written gather in the next: a flood is two statements
 * under way at most, and a bounded number of rows. When Postgres is away the batch is lost; the log
 * lines stay.
 */
export function recordLater(ctx: Context, row: Row): void {
  shared[slot] ??= { open: emptyBatch(), writing: Promise.resolve() };
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
    join(kind.rest, row);
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

/** One row for many events tells what all of them have in common. */
function join(rest: Row, { ip, userId, data }: Row): void {
  rest.count++;
  if (rest.ip !== ip) rest.ip = null;
  if (rest.userId !== userId) rest.userId = null;
  const common = Object.entries(rest.data).filter(([name, value]) => data[name] === value);
  rest.data = Object.fromEntries(common);
}

async function write(ctx: Context, batches: Batches, batch: Batch): Promise<void> {
  await Promise.all([sleep(gatheringMs), batches.writing]);
  batches.open = emptyBatch();
  batches.writing = insert(ctx, batch);
  await batches.writing;
}

/** Never rejects: nothing would be repeated, and each waiting request would tell of it. */
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
