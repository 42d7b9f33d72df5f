import { claimObservation } from "../deployments/observation-claim.js";
import { workFailed } from "../observability/log-lines/http.js";
import { reportToSentry } from "../observability/report-to-sentry.js";
import type { RequestReport } from "../observability/request-report.js";
import { isRedisStale } from "../redis/stale-redis.js";
import { requestEnded } from "../requests-in-flight.js";
import { recordLateEvents, recordRequestEvent } from "../telemetry/producer.js";
import { type FinishedRequest, requestEvent } from "../telemetry/request-event.js";
import { takeOverDrain } from "../telemetry/take-over.js";
import type { Exchange, Work } from "./exchange.js";

/** From the next turn of the event loop: record the request, run `ctx.after` work, and if due record the release, drain, report and resync. */
export async function afterReply(
  { ctx, url, deferred }: Exchange,
  ended: FinishedRequest,
  report: RequestReport | undefined,
): Promise<unknown> {
  await new Promise((resolve) => setImmediate(resolve));
  requestEnded();
  const { externalCalls, securityEvents } = ctx.requestMetrics;
  const [calls, events] = [externalCalls.length, securityEvents.length];
  const recorded = recordRequestEvent(ctx, requestEvent(ctx, ended));
  await doDeferred(deferred, ctx.correlationId);
  const late = {
    externalCalls: externalCalls.slice(calls),
    securityEvents: securityEvents.slice(events),
  };
  const isLate = late.externalCalls.length + late.securityEvents.length > 0;
  const recordedAll = isLate ? Promise.all([recorded, recordLateEvents(late)]) : recorded;
  if (claimObservation(ctx.env, url.hostname)) await observeRelease(ctx);
  await takeOverDrain(ctx);
  // Last, so that the trace includes the other work.
  if (report) await reportToSentry(ctx.env, report);
  if (isRedisStale()) await resync(ctx);
  // Not awaited here: it would keep every request of a batch in memory.
  return recordedAll;
}

/** Loaded on demand: at most once a minute. */
async function observeRelease(ctx: Exchange["ctx"]): Promise<void> {
  const { observeAfterReply } = await import("../deployments/observe-release.js");
  await observeAfterReply(ctx);
}

/** Loaded on demand: only after an outage. */
async function resync(ctx: Exchange["ctx"]): Promise<void> {
  const { resyncRedis } = await import("../admission/resync-redis.js");
  await resyncRedis(ctx);
}

async function doDeferred(deferred: Work[], correlationId: string): Promise<void> {
  while (deferred.length > 0) {
    const round = deferred.splice(0).map((work) => work());
    for (const outcome of await Promise.allSettled(round)) {
      if (outcome.status === "rejected") workFailed(correlationId, outcome.reason);
    }
  }
}
