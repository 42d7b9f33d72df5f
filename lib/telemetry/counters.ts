import { type MetricName, metrics, seriesName } from "../observability/metrics.js";
import type { ExternalCall, RequestMetrics } from "../request-metrics.js";
import type { RequestEvent } from "./request-event.js";

/** By minute: its start in ms. */
export type Counters = Map<number, Minute>;

interface Minute {
  counts: Map<string, number>;
  observed: Map<Histogram, Observations>;
}

interface Observations {
  inBucket: number[];
  sumUs: number;
}

export function seriesOf(counters: Counters): Record<string, Record<string, number>> {
  return Object.fromEntries(
    [...counters].map(([beginsMs, { counts, observed }]) => [
      beginsMs,
      Object.fromEntries([...counts, ...[...observed].flatMap(histogramSeries)]),
    ]),
  );
}

export function countEvent(counters: Counters, event: RequestEvent): void {
  const minute = minuteOf(counters, event.atMs);
  const { route, method, status, code } = event;
  add(minute, events, 1);
  add(minute, named("http_requests_total", route, method, String(status)), 1);
  observe(minute, histogram("http_request_duration_seconds", route), event.durationMs);
  if (code !== undefined) add(minute, named("http_errors_total", route, code), 1);
  if (event.tokenFailure !== undefined) {
    add(minute, named("jwt_verification_failures_total", event.tokenFailure), 1);
  }
  if (event.contentCache !== undefined) {
    add(minute, named("content_cache_reads_total", event.contentCache), 1);
  }
  if (event.attempt !== undefined) add(minute, named("attempts_total", event.attempt), 1);
  if (event.answer !== undefined) {
    add(minute, named("answers_total", event.answer.type, event.answer.verdict), 1);
  }
  for (const { policy, used, max, refused, decidedBy } of event.limits) {
    add(minute, named("rate_limit_calls_total", policy, decidedBy), 1);
    if (used > 0.8 * max) add(minute, named("rate_limit_near_max_total", policy), 1);
    if (refused) add(minute, named("rate_limit_hits_total", policy, route), 1);
  }
  countCallsAndSecurityEvents(minute, event);
}

/** Count what happened after the request's event was recorded, in work after the reply. */
export function countLateEvents(
  counters: Counters,
  atMs: number,
  events: Pick<RequestMetrics, "externalCalls" | "securityEvents">,
): void {
  countCallsAndSecurityEvents(minuteOf(counters, atMs), events);
}

export function countLostBatches(counters: Counters, atMs: number, count: number): void {
  add(minuteOf(counters, atMs), seriesName("telemetry_lost_batches_total"), count);
}

function countCallsAndSecurityEvents(
  minute: Minute,
  { externalCalls, securityEvents }: Pick<RequestMetrics, "externalCalls" | "securityEvents">,
): void {
  for (const call of externalCalls) countExternal(minute, call);
  for (const event of securityEvents) add(minute, named("security_events_total", event), 1);
}

function countExternal(minute: Minute, call: ExternalCall): void {
  const { service, operation, outcome, durationMs } = call;
  add(minute, named("external_api_calls_total", service, operation, outcome), 1);
  observe(minute, histogram("external_api_duration_seconds", service, operation), durationMs);
}

function minuteOf(counters: Counters, atMs: number): Minute {
  const beginsMs = atMs - (atMs % 60_000);
  let minute = counters.get(beginsMs);
  if (!minute) {
    minute = { counts: new Map(), observed: new Map() };
    counters.set(beginsMs, minute);
  }
  return minute;
}

function add({ counts }: Minute, series: string, count: number): void {
  counts.set(series, (counts.get(series) ?? 0) + count);
}

interface Histogram {
  buckets: { maxMs: number; series: string }[];
  sum: string;
  count: string;
}

function observe({ observed }: Minute, histogram: Histogram, ms: number): void {
  const { buckets } = histogram;
  let seen = observed.get(histogram);
  if (!seen) {
    seen = { inBucket: buckets.map(() => 0), sumUs: 0 };
    observed.set(histogram, seen);
  }
  const at = buckets.findIndex(({ maxMs }) => ms <= maxMs);
  seen.inBucket[at] = (seen.inBucket[at] ?? 0) + 1;
  seen.sumUs += Math.round(ms * 1000);
}

function histogramSeries([histogram, { inBucket, sumUs }]: [Histogram, Observations]) {
  const series: [string, number][] = [];
  let count = 0;
  for (const [at, { series: name }] of histogram.buckets.entries()) {
    count += inBucket[at] ?? 0;
    if (count > 0) series.push([name, count]);
  }
  series.push([histogram.sum, sumUs], [histogram.count, count]);
  return series;
}

const events = seriesName("telemetry_events_total");
const names = new Map<string, string>();
const histograms = new Map<string, Histogram>();

/** Cached: building a series name costs more than counting. */
function named(metric: MetricName, ...values: string[]): string {
  const key = `${metric} ${values.join(" ")}`;
  let name = names.get(key);
  if (name === undefined) {
    name = seriesName(metric, labelsOf(metric, values));
    names.set(key, name);
  }
  return name;
}

function histogram(
  metric: "http_request_duration_seconds" | "external_api_duration_seconds",
  ...values: string[]
): Histogram {
  const key = `${metric} ${values.join(" ")}`;
  const known = histograms.get(key);
  if (known) return known;
  const labels = labelsOf(metric, values);
  const bucket = (maxMs: number, le: string) => ({
    maxMs,
    series: seriesName(metric, { ...labels, le }, "_bucket"),
  });
  const created = {
    buckets: [
      ...metrics[metric].buckets.map((seconds) => bucket(seconds * 1000, String(seconds))),
      bucket(Number.POSITIVE_INFINITY, "+Inf"),
    ],
    sum: seriesName(metric, labels, "_sum"),
    count: seriesName(metric, labels, "_count"),
  };
  histograms.set(key, created);
  return created;
}

function labelsOf(metric: MetricName, values: string[]): Record<string, string> {
  const { labels } = metrics[metric] as { labels: readonly string[] };
  return Object.fromEntries(labels.map((label, at) => [label, values[at] ?? ""]));
}
