import { seriesName } from "../observability/metrics.js";
import { parseSeriesName } from "../telemetry/series.js";
import type { Span } from "./database-down.js";
import type { Sample } from "./measures.js";

/** Add to `samples` the seconds of an outage since the last success of each cron job, or since it was first due. */
export function excuseCrons(samples: Sample[], spans: Span[]): void {
  if (spans.length === 0) return;
  const found = (metric: string) =>
    samples.flatMap(({ series, value }) => {
      const parsed = parseSeriesName(series);
      return parsed.metric === metric ? [[parsed.labels.job ?? "", value] as const] : [];
    });
  const starts = new Map([
    ...found("cron_first_due_timestamp_seconds"),
    ...found("cron_last_success_timestamp_seconds"),
  ]);
  for (const [job, start] of starts) {
    const series = seriesName("cron_outage_seconds", { job });
    const seconds = spans.map(({ from, until }) =>
      Math.max(0, until / 1000 - Math.max(from / 1000, start)),
    );
    const added = seconds.reduce((sum, each) => sum + each, 0);
    const known = samples.find((sample) => sample.series === series);
    if (known) known.value += added;
    else samples.push({ series, value: added });
  }
}
