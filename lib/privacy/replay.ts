import { gt, sql } from "drizzle-orm";
import { isRestoring } from "../admission/restore.js";
import type { Context } from "../context.js";
import { erasures } from "../db/schema/privacy.js";
import { AppError } from "../errors.js";
import { erasuresMissing } from "../observability/log-lines/privacy.js";
import { roundTrip } from "../redis/client.js";
import { enforceTimeoutMs } from "../redis/enforce.js";
import { eraseAccount } from "./erase.js";
import {
  appendErasures,
  type Erasure,
  type ErasureCopy,
  keptDays,
  newestErasures,
  startStream,
  streamCopy,
} from "./erasure-stream.js";

export interface ReplayResult {
  /** Accounts that the database had again. */
  erasedAgain: number;
  /** Erasures that are still to be repeated. */
  left: number;
  /** The copies that could be read. */
  copies: string[];
}

const batchSize = 1000;

/**
 * Repeat every erasure that a copy knows and Postgres does not: the database is then older than the erasure. Until `endMs`
 * (`performance.now()`). Safe to repeat. Throws `erasures_unreadable` when no copy can be read.
 */
export async function replayErasures(
  ctx: Context,
  copies: readonly ErasureCopy[],
  endMs: number,
): Promise<ReplayResult> {
  const known = new Map<string, Erasure>();
  const read: string[] = [];
  const failures: unknown[] = [];
  for (const copy of copies) {
    try {
      for await (const erasure of copy.read()) known.set(erasure.userId, erasure);
      read.push(copy.name);
    } catch (error) {
      failures.push(error);
    }
  }
  if (read.length === 0) throw new AppError("erasures_unreadable", { cause: failures[0] });
  const missing = await missingOf(ctx, [...known.values()]);
  return { ...(await eraseAgain(ctx, missing, endMs)), copies: read };
}

/** The same for the newest entries of the stream, each minute: after a restore that nobody announced. */
export async function replayNewest(ctx: Context, endMs: number): Promise<{ erasedAgain: number }> {
  const missing = await missingOf(ctx, await newestErasures(20));
  if (missing.length === 0 || (await isRestoring(ctx))) return { erasedAgain: 0 };
  const { erasedAgain } = await eraseAgain(ctx, missing, endMs);
  return { erasedAgain };
}

/** Makes the stream and the receipts equal: repeats erasures, and appends receipts that Redis has lost. Does nothing during a restore. */
export async function reconcileErasures(ctx: Context, endMs: number) {
  if (await isRestoring(ctx)) return { erasedAgain: 0, appended: 0 };
  const known: Erasure[] = [];
  let isComplete = true;
  try {
    for await (const erasure of streamCopy.read()) known.push(erasure);
  } catch (error) {
    // The stream is new or lost, unless Redis does not answer: then the next statement to it fails, too.
    isComplete = false;
    if (known.length > 0) throw error;
  }
  const { erasedAgain } = await eraseAgain(ctx, await missingOf(ctx, known), endMs);
  const since = sql`now() - make_interval(days => ${keptDays})`;
  const receipts = await ctx.db.select().from(erasures).where(gt(erasures.erasedAt, since));
  const held = new Set(known.map(({ userId }) => userId));
  const lost = receipts.filter(({ userId }) => !held.has(userId));
  for (let from = 0; from < lost.length || !isComplete; from += batchSize) {
    const trip = roundTrip(ctx);
    const some = lost
      .slice(from, from + batchSize)
      .map(({ userId, erasedAt }) => ({ userId, erasedAtMs: erasedAt.getTime() }));
    const isLast = from + batchSize >= lost.length;
    await Promise.all([
      appendErasures(trip, some, ctx.now),
      ...(isLast && !isComplete ? [startStream(trip)] : []),
      trip.send({ timeoutMs: enforceTimeoutMs }),
    ]);
    if (isLast) isComplete = true;
  }
  return { erasedAgain, appended: lost.length };
}

async function missingOf({ db }: Context, known: Erasure[]): Promise<Erasure[]> {
  const missing: Erasure[] = [];
  for (let from = 0; from < known.length; from += batchSize) {
    const some = known.slice(from, from + batchSize);
    const { rows } = await db.execute<{ id: string }>(sql`
      select cast(id as text) as id
      from unnest(cast(${sql.param(some.map(({ userId }) => userId))} as uuid[])) as id
      where not exists (select 1 from ${erasures} where user_id = id)`);
    const ids = new Set(rows.map(({ id }) => id));
    missing.push(...some.filter(({ userId }) => ids.has(userId)));
  }
  return missing;
}

async function eraseAgain(ctx: Context, missing: Erasure[], endMs: number) {
  if (missing.length > 0) erasuresMissing(ctx.correlationId, missing.length);
  let erasedAgain = 0;
  for (const [at, { userId, erasedAtMs }] of missing.entries()) {
    if (performance.now() >= endMs) return { erasedAgain, left: missing.length - at };
    if (await eraseAccount(ctx, userId, "replay")) erasedAgain += 1;
    else {
      await ctx.db
        .insert(erasures)
        .values({ userId, erasedAt: new Date(erasedAtMs) })
        .onConflictDoNothing();
    }
  }
  return { erasedAgain, left: 0 };
}
