import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { timestamp } from "../db/timestamp.js";
import { deletionUncopied } from "../observability/log-lines/privacy.js";
import { enqueueFrom } from "../queue/enqueue.js";
import { defineKind } from "../queue/kind.js";
import { runEntries } from "../queue/run-due.js";
import { roundTrip } from "../redis/client.js";
import { enforceTimeoutMs } from "../redis/enforce.js";
import type { RoundTrip } from "../redis/round-trip.js";
import { keptDays } from "./erasure-stream.js";

/**
 * A copy of requests and cancellations outside the database, to repeat them after a restore: the hash `deletions` in Redis,
 * by the ID of the deletion. A cancelled one has no user ID.
 */
const key = "deletions";
const dayMs = 86_400_000;

export interface CopiedDeletion {
  deletionId: string;
  /** Null: cancelled. */
  request: { userId: string; purgeAtMs: number; correlationId: string } | null;
}

const deletionCopyKindName = "deletion-copy";

/** `cancelId`, as in the mail, is not exported; `to` is what the entry is exported and erased by. */
const Change = z.strictObject({
  cancelId: z.uuid(),
  to: z.strictObject({ userId: z.uuid() }),
  /** Null: cancelled. */
  purgeAtMs: z.int().nullable(),
});
type Change = z.infer<typeof Change>;

/** The part of a statement that queues a change: `from` has `deletion_id`, `user_id` and `purge_at`, which is null when cancelled. */
export function queueDeletionCopy(ctx: Context, id: string, from: SQL): SQL {
  const now = timestamp(ctx.now);
  const payload = sql`jsonb_build_object('cancelId', deletion_id,
    'to', jsonb_build_object('userId', user_id),
    'purgeAtMs', cast(extract(epoch from purge_at) * 1000 as bigint))`;
  const expiresAt = sql`${now} + ${sql.raw(`interval '${keptDays} days'`)}`;
  const columns = {
    id: sql`${id}`,
    payload,
    correlationId: sql`${ctx.correlationId}`,
    now,
    expiresAt,
  };
  return enqueueFrom(deletionCopyKindName, columns, from);
}

/** After the reply. The tick retries it. */
export function copyDeletionLater(ctx: Context, id: string): void {
  ctx.after(() => runEntries(ctx, deletionCopyKind, [id]));
}

/** Copies a request or a cancellation. A request that comes late does not replace its cancellation. */
export const deletionCopyKind = defineKind<Change>({
  name: deletionCopyKindName,
  payload: Change,
  leaseSeconds: 30,
  attemptsMax: null,
  backoffSeconds: { first: 15, max: 15 * 60, jitter: 0.5 },
  concurrency: 20,
  budgetSeconds: 5,
  async handle({ now }, { payload: { cancelId, to, purgeAtMs }, correlationId }) {
    const trip = roundTrip();
    const command =
      purgeAtMs === null
        ? trip.command("HSET", key, cancelId, `cancelled ${now.getTime()}`)
        : trip.command("HSETNX", key, cancelId, `${to.userId} ${purgeAtMs} ${correlationId}`);
    await Promise.all([command, trip.send({ timeoutMs: enforceTimeoutMs })]);
    return { end: "done" };
  },
  log: {
    retried: ({ correlationId }, _, { reason }, delay) =>
      deletionUncopied(correlationId, delay, reason),
    died: () => {},
  },
});

export async function forgetDeletions(trip: RoundTrip, deletionIds: string[]): Promise<void> {
  if (deletionIds.length > 0) await trip.command("HDEL", key, ...deletionIds);
}

/** Removes what is older than any backup. Rejects without Redis. */
export async function readDeletionCopy({ now }: Context): Promise<CopiedDeletion[]> {
  const trip = roundTrip();
  const [found] = await Promise.all([trip.command<string[]>("HGETALL", key), trip.send()]);
  const known: CopiedDeletion[] = [];
  const old: string[] = [];
  for (let at = 0; at + 1 < found.length; at += 2) {
    const [deletionId = "", value = ""] = found.slice(at, at + 2);
    const [first = "", ms, correlationId = ""] = value.split(" ");
    const atMs = Number(ms);
    if (atMs < now.getTime() - keptDays * dayMs) old.push(deletionId);
    else if (first === "cancelled") known.push({ deletionId, request: null });
    else known.push({ deletionId, request: { userId: first, purgeAtMs: atMs, correlationId } });
  }
  if (old.length > 0) {
    const removal = roundTrip();
    await Promise.all([forgetDeletions(removal, old), removal.send()]);
  }
  return known;
}
