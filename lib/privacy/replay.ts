import { gt, sql } from "drizzle-orm";
import { isRestoring } from "../admission/restore.js";
import type { Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { erasures } from "../db/schema/privacy.js";
import { timestampOfMs } from "../db/timestamp.js";
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
  markComplete,
  newestErasures,
  readStream,
} from "./erasure-stream.js";

interface KnownErasures {
  /** The copies that could be read. */
  copies: string[];
  /** Of the newest erasure in any of them; null: they have none. */
  newestErasedAt: Date | null;
}

export interface ReplayResult extends KnownErasures {
  /** Accounts that the database had again. */
  erasedAgain: number;
  /** Erasures that are still to be repeated. */
  left: number;
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
  const { missing, ...known } = await findMissingErasures(ctx, copies);
  return { ...(await eraseAgain(ctx, missing, endMs)), ...known };
}

/** Changes nothing. Throws as `replayErasures`. */
export async function findMissingErasures(
  ctx: Context,
  copies: readonly ErasureCopy[],
): Promise<KnownErasures & { missing: Erasure[] }> {
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
  const newestMs = Math.max(...[...known.values()].map(({ erasedAtMs }) => erasedAtMs));
  return {
    missing: await missingOf(ctx, [...known.values()]),
    copies: read,
    newestErasedAt: known.size > 0 ? new Date(newestMs) : null,
  };
}

/**
 * The same by the whole stream, each minute, if one of its newest entries has no receipt: after a restore without
 * `restore begin`. What is `left` when the time is up is repeated in the next minute.
 */
export async function replayNewest(
  ctx: Context,
  endMs: number,
): Promise<Pick<ReplayResult, "erasedAgain" | "left">> {
  const newest = await missingOf(ctx, await newestErasures(20));
  if (newest.length === 0 || (await isRestoring(ctx))) return { erasedAgain: 0, left: 0 };
  const { erasures: known } = await readStream(ctx.now);
  const missing = await missingOf(ctx, known);
  const { erasedAgain, left } = await eraseAgain(ctx, missing, endMs);
  if (left > 0) {
    // What was repeated is newest now: one of those left must be newer, for the next minute to see it.
    const trip = roundTrip(ctx);
    await Promise.all([
      appendErasures(trip, missing.slice(-1), ctx.now),
      trip.send({ timeoutMs: enforceTimeoutMs }),
    ]);
  }
  return { erasedAgain, left };
}

/** Makes the stream and the receipts equal: repeats erasures, and appends receipts that Redis has lost. Does nothing during a restore. */
export async function reconcileErasures(ctx: Context, endMs: number) {
  if (await isRestoring(ctx)) return { erasedAgain: 0, left: 0, appended: 0 };
  const { erasures: known, isComplete, isMarkDue } = await readStream(ctx.now);
  const { erasedAgain, left } = await eraseAgain(ctx, await missingOf(ctx, known), endMs);
  const since = sql`now() - make_interval(days => ${keptDays})`;
  const receipts = await ctx.db.select().from(erasures).where(gt(erasures.erasedAt, since));
  const held = new Set(known.map(({ userId }) => userId));
  const lost = receipts.filter(({ userId }) => !held.has(userId));
  for (let from = 0; from < lost.length; from += batchSize) {
    const some = lost
      .slice(from, from + batchSize)
      .map(({ userId, erasedAt }) => ({ userId, erasedAtMs: erasedAt.getTime() }));
    const trip = roundTrip(ctx);
    await Promise.all([
      appendErasures(trip, some, ctx.now),
      trip.send({ timeoutMs: enforceTimeoutMs }),
    ]);
  }
  if (!isComplete || isMarkDue) {
    const trip = roundTrip(ctx);
    await Promise.all([markComplete(trip), trip.send({ timeoutMs: enforceTimeoutMs })]);
  }
  return { erasedAgain, left, appended: lost.length };
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
  let refused = 0;
  for (const [at, { userId, erasedAtMs }] of missing.entries()) {
    if (await eraseAccount(ctx, userId, "replay")) erasedAgain += 1;
    else if (!(await addReceipt(ctx, userId, erasedAtMs))) refused += 1;
    // At least one in each call.
    if (performance.now() >= endMs) return { erasedAgain, left: refused + missing.length - at - 1 };
  }
  return { erasedAgain, left: refused };
}

/** For an account that the database does not have. False when it has it: a guest was merged into it in between. */
async function addReceipt({ db }: Context, userId: string, erasedAtMs: number): Promise<boolean> {
  const { rows } = await db.execute(sql`
    with gone as (
      select cast(${userId} as uuid) as id
      where not exists (select 1 from ${users} where id = ${userId})
    ), added as (
      insert into ${erasures} (user_id, erased_at)
      select id, ${timestampOfMs(erasedAtMs)} from gone on conflict do nothing
    )
    select 1 from gone`);
  return rows.length > 0;
}
