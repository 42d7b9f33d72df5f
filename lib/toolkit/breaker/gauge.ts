import { sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { telemetryGauges } from "../../db/schema/telemetry.js";
import { seriesName } from "../../observability/metrics.js";
import { readBreaker } from "./shared-breaker.js";
import { breakerState, positionGauge, positionOf } from "./state.js";

/**
 * Write where the breaker stands into its gauge. Done at each change and each minute, for an open one
 * becomes half-open without anybody's doing. Rejects, having written nothing, when Redis is away.
 */
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
