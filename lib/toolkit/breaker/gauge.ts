import type { Context } from "../../context.js";
import { writeGauges } from "../../db/write-gauges.js";
import { seriesName } from "../../observability/metrics.js";
import { readBreaker } from "./shared-breaker.js";
import { breakerState, positionGauge, positionOf } from "./state.js";

/** Store the breaker's position as a metric: on each change and each minute, because open becomes half-open by time. Rejects when a store is down. */
export async function recordBreakerGauge(ctx: Context): Promise<void> {
  const { field } = await readBreaker();
  const position = positionOf(breakerState(field), Date.now());
  const series = seriesName("circuit_breaker_state", { service: "toolkit" });
  await writeGauges(ctx, new Map([[series, positionGauge[position]]]));
}
