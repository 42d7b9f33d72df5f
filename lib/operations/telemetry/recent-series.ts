import { and, gt, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../../context.js";
import { telemetryMinutes } from "../../db/schema/telemetry.js";
import { parseSeriesName } from "../../telemetry/series.js";

export const minutesMax = 24 * 60;

/** A query: how far back roll-ups are summed. */
export const Window = z.strictObject({
  minutes: z
    .string()
    .regex(/^\d{1,4}$/)
    .transform(Number)
    .pipe(z.int().min(1).max(minutesMax))
    .default(15),
});

/** Increase of each series whose name starts with `prefix` in the last `minutes`. `suffix`: the rest of the metric's name. */
export async function recentSeries(
  { db, now }: Context,
  prefix: string,
  minutes: number,
): Promise<{ labels: Record<string, string>; suffix: string; value: number }[]> {
  const since = new Date(now.getTime() - minutes * 60_000);
  const rows = await db
    .select({
      series: telemetryMinutes.series,
      value: sql<string>`sum(${telemetryMinutes.value})`,
    })
    .from(telemetryMinutes)
    .where(and(gt(telemetryMinutes.minute, since), sql`starts_with(series, ${prefix})`))
    .groupBy(telemetryMinutes.series);
  return rows.map(({ series, value }) => {
    const { metric, labels } = parseSeriesName(series);
    return { labels, suffix: metric.slice(prefix.length), value: Number(value) };
  });
}
