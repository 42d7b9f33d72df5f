import { sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { telemetryGauges } from "../../db/schema/telemetry.js";
import { seriesName } from "../../observability/metrics.js";
import { readBreaker } from "./shared-breaker.js";
import { breakerState, positionGauge, positionOf } from "./state.js";

/** Store the breaker's position as a metric: on each change and each minute, because open becomes half-open by time. Rejects when a store is down. */
export async function recordBreakerGauge(ctx: Context): Promise<void> {
  const { field } = await readBreaker();
  const position = positionOf(breakerState(field), Date.now());
  await ctx.db
    .insert(telemetryGauges)
    .values({
      series: seriesName("circuit_breaker_state", { service: "toolkit" }),
      value: positionGauge[position],
      measuredAt: sql`now()`,
    })
    .onConflictDoUpdate({
      target: telemetryGauges.series,
      set: { value: sql`excluded.value`, measuredAt: sql`excluded.measured_at` },
    });
}
