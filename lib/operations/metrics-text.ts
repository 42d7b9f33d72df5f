import type { Context } from "../context.js";
import { scrapeUndrained } from "../observability/log-lines/telemetry.js";
import { drainEvents } from "../telemetry/drain.js";
import { exposition } from "../telemetry/metrics/exposition.js";
import { readSeries } from "../telemetry/metrics/read-series.js";
import { announcedSeries } from "./announced-series.js";

export const prometheusText = "text/plain; version=0.0.4; charset=utf-8";

const drainMs = 3000;

/** All metrics, known series also before their first event. Drains events first, for about 3 s; without Redis the totals are those of the last drain. Throws `service_unavailable` without Postgres. */
export async function metricsText(ctx: Context): Promise<string> {
  const logFailure = (error: unknown) => scrapeUndrained(ctx.correlationId, error);
  await drainEvents(ctx, { budgetMs: drainMs }).catch(logFailure);
  return exposition(new Map([...announcedSeries(ctx.env), ...(await readSeries(ctx))]));
}
