import * as z from "zod";
import type { Context } from "../../context.js";
import { secondsBuckets } from "../../observability/metrics.js";
import { drainBeforeReading, EventsUntil } from "./drain-before-reading.js";
import { recentSeries } from "./recent-series.js";

const seconds = z.number().nullable();

export const SlowRoutes = z.strictObject({
  minutes: z.int(),
  /** Requests that ended before this time are counted. */
  ...EventsUntil.shape,
  rows: z.array(
    z.strictObject({
      route: z.string(),
      count: z.int(),
      meanSeconds: z.number(),
      /** Interpolated within a histogram bucket; null beyond the last bucket. */
      p50: seconds,
      p95: seconds,
      p99: seconds,
      /** Exact counts, not interpolated. */
      over1s: z.int(),
      over2s: z.int(),
    }),
  ),
});
export type SlowRoutes = z.infer<typeof SlowRoutes>;

interface Histogram {
  /** Cumulative counts by upper bound in seconds. */
  atMost: Map<number, number>;
  sumMicroseconds: number;
  count: number;
}

/** Latency per route in the last `minutes`, slowest P95 first. Drains events first. */
export async function slowRoutes(ctx: Context, minutes: number): Promise<SlowRoutes> {
  const until = await drainBeforeReading(ctx);
  const series = await recentSeries(ctx, "http_request_duration_seconds", minutes);
  const routes = new Map<string, Histogram>();
  for (const { labels, suffix, value } of series) {
    const { route = "", le } = labels;
    const found = routes.get(route) ?? { atMost: new Map(), sumMicroseconds: 0, count: 0 };
    if (suffix === "_sum") found.sumMicroseconds = value;
    else if (suffix === "_count") found.count = value;
    else found.atMost.set(Number(le), value);
    routes.set(route, found);
  }
  const rows = [...routes].flatMap(([route, histogram]) =>
    histogram.count === 0 ? [] : [{ route, ...summary(histogram) }],
  );
  const slowness = ({ p95 }: (typeof rows)[number]) => p95 ?? Number.MAX_VALUE;
  rows.sort((one, other) => slowness(other) - slowness(one) || other.count - one.count);
  return { minutes, ...until, rows };
}

function summary(histogram: Histogram) {
  const { atMost, count, sumMicroseconds } = histogram;
  return {
    count,
    meanSeconds: rounded(sumMicroseconds / count / 1e6),
    p50: quantile(histogram, 0.5),
    p95: quantile(histogram, 0.95),
    p99: quantile(histogram, 0.99),
    over1s: count - (atMost.get(1) ?? 0),
    over2s: count - (atMost.get(2) ?? 0),
  };
}

/** Linear interpolation within a bucket, as Prometheus' histogram_quantile. */
function quantile({ atMost, count }: Histogram, share: number): number | null {
  const rank = share * count;
  let [from, before] = [0, 0];
  for (const bound of secondsBuckets) {
    // The lowest buckets are not stored while they are empty.
    const reached = atMost.get(bound) ?? 0;
    if (reached >= rank) {
      return rounded(from + ((bound - from) * (rank - before)) / (reached - before || 1));
    }
    [from, before] = [bound, reached];
  }
  return null;
}

const rounded = (value: number) => Math.round(value * 1000) / 1000;
