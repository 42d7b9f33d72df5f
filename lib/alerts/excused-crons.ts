import { seriesName } from "../observability/metrics.js";
import { parseSeriesName } from "../telemetry/series.js";
import type { Span } from "./database-down.js";
import type { Sample } from "./measures.js";

/**
 * Add to `samples` the seconds of an outage since the last success of each cron job, or since it was first due. Returns
 * the changed ones: a success at the same time sets the others to 0.
 */
export function excuseCrons(samples: Sample[], spans: Span[]): Sample[] {
  if (spans.length === 0) return [];
  const found = (metric: string) =>
    samples.flatMap(({ series, value }) => {
      const parsed = parseSeriesName(series);
      return parsed.metric === metric ? [[parsed.labels.job ?? "", value] as const] : [];
    });
  const starts = new Map([
    ...found("cron_first_due_timestamp_seconds"),
    ...found("cron_last_success_timestamp_seconds"),
  ]);
  return [...starts].map(([job, start]) => {
    const series = seriesName("cron_outage_seconds", { job });
    const seconds = spans.map(({ from, until }) =>
      Math.max(0, until / 1000 - Math.max(from / 1000, start)),
    );
    const added = seconds.reduce((sum, each) => sum + each, 0);
    const known = samples.find((sample) => sample.series === series);
    const sample = known ?? { series, value: 0 };
    if (!known) samples.push(sample);
    sample.value += added;
    return sample;
  });
}
