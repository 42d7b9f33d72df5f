import { securityEvent } from "../audit/security-events.js";
import type { Context } from "../context.js";
import { memoizeByObject } from "../memoize-by-object.js";
import { platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";
import { roundTrip } from "../redis/client.js";
import { implausibleReason, readClock } from "../redis/revoke-all.js";
import { recordedRules } from "./recorded-rules.js";

const dayMs = 86_400_000;
/** How long a cutoff is rejected before the clock of Redis is read again. */
const ignoredMs = 60_000;

interface Judgement {
  ms: number;
  reason: Promise<string | null>;
  untilMs: number;
}

const judgements = memoizeByObject((_: Platform): { latest: Judgement | null } => ({
  latest: null,
}));

/**
 * Replaces an implausible cutoff of Redis by the one in Postgres, and reports it once a minute per process. Null means
 * to check each session's record. A plausible cutoff over 24 h old is not compared with the clock of Redis. Never rejects.
 */
export async function effectiveRevokeAll(ctx: Context, ms: number | null): Promise<number | null> {
  if (ms === null || ms === 0) return ms;
  const nowMs = ctx.now.getTime();
  if (implausibleReason(ms, nowMs) === null && ms < nowMs - dayMs) return ms;
  try {
    if ((await cachedJudgement(ctx, ms)) === null) return ms;
  } catch {
    return null;
  }
  return (await recordedRules(ctx)).rules.revokeAllBeforeMs;
}

function cachedJudgement(ctx: Context, ms: number): Promise<string | null> {
  const memory = judgements(platform());
  const { latest } = memory;
  // Object.is: NaN equals NaN.
  if (latest && Object.is(latest.ms, ms) && performance.now() < latest.untilMs)
    return latest.reason;
  const judgement: Judgement = {
    ms,
    reason: judge(ctx, ms),
    untilMs: performance.now() + ignoredMs,
  };
  memory.latest = judgement;
  judgement.reason.then(
    (reason) => {
      if (reason === null) judgement.untilMs = Number.POSITIVE_INFINITY;
    },
    () => {
      judgement.untilMs = 0;
    },
  );
  return judgement.reason;
}

async function judge(ctx: Context, ms: number): Promise<string | null> {
  const trip = roundTrip(ctx);
  const [redisNowMs] = await Promise.all([readClock(trip), trip.send()]);
  const reason = implausibleReason(ms, redisNowMs);
  if (reason !== null)
    securityEvent(ctx, "revoke_all_ignored", { data: { reason: `${ms}: ${reason}` } });
  return reason;
}
