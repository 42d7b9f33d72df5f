import { securityEvent } from "../audit/security-events.js";
import type { Context } from "../context.js";
import { oncePer } from "../once-per.js";
import { platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";
import { roundTrip } from "../redis/client.js";
import { implausibility, readClock } from "../redis/revoke-all.js";
import { recordedRules } from "./recorded-rules.js";

const dayMs = 86_400_000;
/** How long a moment is held to be implausible before Redis' clock is asked again. */
const ignoredMs = 60_000;

interface Judgement {
  ms: number;
  /** Resolves to why it is ignored; null where it counts. */
  why: Promise<string | null>;
  untilMs: number;
}

const judgements = oncePer((_: Platform): { latest: Judgement | null } => ({ latest: null }));

/**
 * The moment before which every session has ended, given the one that Redis holds: the recorded one in
 * place of one that cannot be meant, which is told as a security event once a minute and process. Null
 * where the record of each session has to decide. Redis' clock is asked only for a moment of the last day
 * that this process has not seen yet, or of the future.
 */
export async function effectiveRevokeAll(ctx: Context, ms: number | null): Promise<number | null> {
  if (ms === null || ms === 0) return ms;
  const nowMs = ctx.now.getTime();
  if (implausibility(ms, nowMs) === null && ms < nowMs - dayMs) return ms;
  try {
    if ((await judged(ctx, ms)) === null) return ms;
  } catch {
    return null;
  }
  return (await recordedRules(ctx)).rules.revokeAllBeforeMs;
}

function judged(ctx: Context, ms: number): Promise<string | null> {
  const memory = judgements(platform());
  const { latest } = memory;
  // NaN is equal to itself here.
  if (latest && Object.is(latest.ms, ms) && performance.now() < latest.untilMs) return latest.why;
  const judgement: Judgement = { ms, why: judge(ctx, ms), untilMs: performance.now() + ignoredMs };
  memory.latest = judgement;
  judgement.why.then(
    (why) => {
      // A moment that has passed has passed for good.
      if (why === null) judgement.untilMs = Number.POSITIVE_INFINITY;
    },
    () => {
      judgement.untilMs = 0;
    },
  );
  return judgement.why;
}

async function judge(ctx: Context, ms: number): Promise<string | null> {
  const trip = roundTrip(ctx);
  const [redisNowMs] = await Promise.all([readClock(trip), trip.send()]);
  const why = implausibility(ms, redisNowMs);
  if (why !== null) securityEvent(ctx, "revoke_all_ignored", { data: { reason: `${ms}: ${why}` } });
  return why;
}
