import { catchUp } from "../admission/catch-up.js";
import { workFailed } from "../observability/log-lines/http.js";
import type { RequestReport } from "../observability/request-report.js";
import { tellSentry } from "../observability/tell-sentry.js";
import { doesRedisLag } from "../redis/lag.js";
import { requestEnded, toldLate } from "../telemetry/producer.js";
import { type Ended, requestEvent } from "../telemetry/request-event.js";
import { takeOverDrain } from "../telemetry/take-over.js";
import type { Exchange, Work } from "./exchange.js";

/** Work after the reply: it starts on the next turn of the event loop. */
export async function afterReply(
  { ctx, deferred }: Exchange,
  ended: Ended,
  report: RequestReport | undefined,
): Promise<unknown> {
  await new Promise((resolve) => setImmediate(resolve));
  const { externalCalls, securityEvents } = ctx.requestMetrics;
  const [calls, events] = [externalCalls.length, securityEvents.length];
  const told = requestEnded(ctx, requestEvent(ctx, ended));
  await doDeferred(deferred, ctx.correlationId);
  const late = {
    externalCalls: externalCalls.slice(calls),
    securityEvents: securityEvents.slice(events),
  };
  const isLate = late.externalCalls.length + late.securityEvents.length > 0;
  const toldAll = isLate ? Promise.all([told, toldLate(late)]) : told;
  await takeOverDrain(ctx);
  // Last, so that the trace includes the other work.
  if (report) await tellSentry(ctx.env, report);
  if (doesRedisLag()) await catchUp(ctx);
  // Not awaited here: it would keep every request of a batch in memory.
  return toldAll;
}

async function doDeferred(deferred: Work[], correlationId: string): Promise<void> {
  while (deferred.length > 0) {
    const round = deferred.splice(0).map((work) => work());
    for (const outcome of await Promise.allSettled(round)) {
      if (outcome.status === "rejected") workFailed(correlationId, outcome.reason);
    }
  }
}
