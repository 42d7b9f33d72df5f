import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { endSessionKeys, sessionKey, sessionMarkerKey } from "../auth/session/session-keys.js";
import type { Context } from "../context.js";
import { sessions, users } from "../db/schema/accounts.js";
import { timestamp } from "../db/timestamp.js";
import { erasureRetried } from "../observability/log-lines/privacy.js";
import { defineKind } from "../queue/kind.js";
import { roundTrip } from "../redis/client.js";
import { enforceTimeoutMs } from "../redis/enforce.js";
import type { RoundTrip } from "../redis/round-trip.js";
import { counterKeysOf } from "./counter-keys.js";
import { forgetDeletions } from "./deletion-copy.js";
import { appendErasures } from "./erasure-stream.js";
import type { Person } from "./person.js";

export const erasureKindName = "erasure";

/** What Redis knows of an erased person. Deleted with the entry when it is done. */
const Traces = z.looseObject({
  userIds: z.array(z.uuid()),
  erasedAtMs: z.int(),
  sessionIds: z.array(z.string()),
  /** Those of sessions that a request in flight may still write back. */
  recentSessionIds: z.array(z.string()),
  limitKeys: z.array(z.string()),
  /** Not in entries of an earlier release. */
  deletionIds: z.array(z.string()).default([]),
});
type Traces = z.infer<typeof Traces>;

/** The keys of a session are not written back for a day after its end. */
const recentMs = 24 * 3_600_000;

/** SQL: the sessions are read in the transaction, where the lock of the accounts keeps new ones out. */
export function tracesOf({ now }: Context, { ids, limitKeys }: Person): SQL {
  const isRecent = sql`(revoked_at is null or revoked_at > ${timestamp(new Date(now.getTime() - recentMs))})`;
  const known = { userIds: ids, erasedAtMs: now.getTime(), limitKeys };
  const idsWhere = (condition: SQL) =>
    sql`coalesce(jsonb_agg(id) filter (where ${condition}), '[]')`;
  return sql`(
    select cast(${JSON.stringify(known)} as jsonb) || jsonb_build_object(
      'sessionIds', ${idsWhere(sql`not ${isRecent}`)}, 'recentSessionIds', ${idsWhere(isRecent)})
    from ${sessions} where user_id = any(cast(${sql.param(ids)} as uuid[])))
    || jsonb_build_object('deletionIds', (
      select coalesce(jsonb_agg(deletion_id), '[]') from ${users}
      where id = any(cast(${sql.param(ids)} as uuid[])) and deletion_id is not null))`;
}

/** Deletes the keys of an erased person, and appends the erasure to the stream. Retried until Redis has done both. */
export const erasureKind = defineKind<Traces>({
  name: erasureKindName,
  payload: Traces,
  leaseSeconds: 30,
  attemptsMax: null,
  backoffSeconds: { first: 15, max: 15 * 60, jitter: 0.5 },
  concurrency: 4,
  budgetSeconds: 10,
  async handle(ctx, { payload }) {
    const trip = roundTrip(ctx);
    await Promise.all([
      deleteKeys(ctx, trip, payload),
      forgetDeletions(trip, payload.deletionIds),
      appendErasures(
        trip,
        payload.userIds.map((userId) => ({ userId, erasedAtMs: payload.erasedAtMs })),
        ctx.now,
      ),
      trip.send({ timeoutMs: enforceTimeoutMs }),
    ]);
    return { end: "done" };
  },
  log: {
    retried: ({ correlationId }, _, { reason }, delay) =>
      erasureRetried(correlationId, delay, reason),
    died: () => {},
  },
});

async function deleteKeys(ctx: Context, trip: RoundTrip, traces: Traces): Promise<void> {
  const { userIds, recentSessionIds, limitKeys } = traces;
  const sessionIds = [...traces.sessionIds, ...recentSessionIds];
  const ended = traces.sessionIds.flatMap((id) => [sessionKey(id), sessionMarkerKey(id)]);
  await Promise.all([
    endSessionKeys(trip, recentSessionIds),
    deleteAll(trip, [...ended, ...counterKeysOf(ctx, { userIds, sessionIds, limitKeys })]),
  ]);
}

/** Counters of requests that came with a token of the account after its erasure. Without Redis they stay until the next run, or expire within a day. */
export async function deleteLateCounters(ctx: Context, userIds: string[]): Promise<void> {
  const trip = roundTrip(ctx);
  await Promise.allSettled([
    deleteAll(trip, counterKeysOf(ctx, { userIds, sessionIds: [], limitKeys: [] })),
    trip.send({ timeoutMs: enforceTimeoutMs }),
  ]);
}

const keysPerCommand = 500;

async function deleteAll(trip: RoundTrip, keys: string[]): Promise<void> {
  const commands: Promise<unknown>[] = [];
  for (let from = 0; from < keys.length; from += keysPerCommand) {
    commands.push(trip.command("DEL", ...keys.slice(from, from + keysPerCommand)));
  }
  await Promise.all(commands);
}
