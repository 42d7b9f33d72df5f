import * as z from "zod";
import { endSessionKeys, sessionKey, sessionMarkerKey } from "../auth/session/session-keys.js";
import type { Context } from "../context.js";
import { erasureRetried } from "../observability/log-lines/privacy.js";
import { defineKind } from "../queue/kind.js";
import { failuresKey } from "../rate-limit/failure-run.js";
import { counterKey } from "../rate-limit/limiter.js";
import { delayKey } from "../rate-limit/login-delay.js";
import { type LimitKind, limitsOf } from "../rate-limit/policies.js";
import { roundTrip } from "../redis/client.js";
import { enforceTimeoutMs } from "../redis/enforce.js";
import type { RoundTrip } from "../redis/round-trip.js";
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
  deviceIds: z.array(z.string()),
  limitKeys: z.array(z.string()),
});
type Traces = z.infer<typeof Traces>;

/** The keys of a session are not written back for a day after its end. */
const recentMs = 24 * 3_600_000;

export function tracesOf({ now }: Context, person: Person): Traces {
  const { ids, sessions, deviceIds, limitKeys } = person;
  const isRecent = ({ revokedAt }: Person["sessions"][number]) =>
    !revokedAt || now.getTime() - revokedAt.getTime() < recentMs;
  return {
    userIds: ids,
    erasedAtMs: now.getTime(),
    sessionIds: sessions.filter((session) => !isRecent(session)).map(({ id }) => id),
    recentSessionIds: sessions.filter(isRecent).map(({ id }) => id),
    deviceIds,
    limitKeys,
  };
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
  const keys = [
    ...traces.sessionIds.flatMap((id) => [sessionKey(id), sessionMarkerKey(id)]),
    ...counterKeysOf(ctx, traces),
  ];
  await Promise.all([
    endSessionKeys(trip, traces.recentSessionIds),
    keys.length > 0 ? trip.command("DEL", ...keys) : undefined,
  ]);
}

/** Counters of requests that came with a token of the account after its erasure. Without Redis they stay until the next run, or expire within a day. */
export async function deleteLateCounters(ctx: Context, userIds: string[]): Promise<void> {
  const none = { sessionIds: [], recentSessionIds: [], deviceIds: [], limitKeys: [] };
  const keys = counterKeysOf(ctx, { userIds, erasedAtMs: 0, ...none });
  const trip = roundTrip(ctx);
  for (let from = 0; from < keys.length; from += keysPerCommand) {
    trip.ask("DEL", ...keys.slice(from, from + keysPerCommand));
  }
  await trip.send({ timeoutMs: enforceTimeoutMs });
}

const keysPerCommand = 500;

/** Of the windows that may still be counted. Other counters expire within a day. */
function counterKeysOf({ env, now }: Context, traces: Traces): string[] {
  const values: Partial<Record<LimitKind, string[]>> = {
    user: traces.userIds,
    unverified: traces.userIds,
    session: [...traces.sessionIds, ...traces.recentSessionIds],
    device: traces.deviceIds,
    account: traces.limitKeys,
  };
  const counted = new Set(traces.limitKeys.map((value) => failuresKey("account", value)));
  for (const limit of Object.values(limitsOf(env)).flat()) {
    const window = Math.floor(now.getTime() / limit.windowMs);
    for (const value of values[limit.kind] ?? []) {
      if (limit.delaysMs) counted.add(delayKey(limit, value));
      else for (const one of [window - 1, window]) counted.add(counterKey(limit, value, one));
    }
  }
  return [...counted];
}
