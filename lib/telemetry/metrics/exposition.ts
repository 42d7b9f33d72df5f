import { type Metric, type MetricName, metrics, seriesName } from "../../observability/metrics.js";

/** The maximum per scrape; further series are summed as `other`. */
export const seriesMax = 5000;

/** Prometheus text format. Histogram sums are stored in µs and exposed in s. Names every metric, also one without a series; leaves out unknown ones; adds 0 for unlabelled counters. */
export function exposition(series: ReadonlyMap<string, number>): string {
  const found = childrenOf(series);
  const families = (Object.keys(metrics) as MetricName[]).map((name) => {
    const children = found.get(name) ?? (hasNoLabels(name) ? [zeroChild] : []);
    return { name, children };
  });
  return limitSeries(families).map(text).join("");
}

interface Family {
  name: MetricName;
  children: Child[];
}

interface Child {
  labels: string;
  /** Key "" for a plain value; for histograms `_sum`, `_count`, and the `le` of each bucket. */
  values: Map<string, number>;
}

const zeroChild: Child = { labels: "", values: new Map([["", 0]]) };

function hasNoLabels(name: MetricName): boolean {
  return metrics[name].type === "counter" && metrics[name].labels.length === 0;
}

const label = String.raw`[a-z_]+="(?:[^"\\\n]|\\["\\n])*"`;
const form = new RegExp(
  String.raw`^([a-z_]+?)(_bucket|_sum|_count)?(?:\{(${label}(?:,${label})*)\})?$`,
);
const lastLabelIsBound = /^(?:(.*),)?le="([^"]+)"$/;

function childrenOf(series: ReadonlyMap<string, number>): Map<MetricName, Child[]> {
  const found = new Map<MetricName, Map<string, Child>>();
  for (const [given, value] of series) {
    const parts = partsOf(given);
    if (!parts || !Number.isFinite(value)) continue;
    const children = found.get(parts.name) ?? new Map<string, Child>();
    const child = children.get(parts.labels) ?? { labels: parts.labels, values: new Map() };
    child.values.set(parts.key, value);
    children.set(parts.labels, child);
    found.set(parts.name, children);
  }
  const sorted = (children: Map<string, Child>) =>
    [...children].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, child]) => child);
  return new Map([...found].map(([name, children]) => [name, sorted(children)]));
}

function partsOf(series: string): { name: MetricName; labels: string; key: string } | null {
  const [, name = "", suffix = "", labels = ""] = form.exec(series) ?? [];
  if (!isMetric(name) || isHistogram(name) !== (suffix !== "")) return null;
  if (suffix !== "_bucket") return { name, labels, key: suffix };
  const bound = lastLabelIsBound.exec(labels);
  return bound && { name, labels: bound[1] ?? "", key: bound[2] ?? "" };
}

/** Small families are kept whole; the largest share the rest, so that none crowds out the others. */
function limitSeries(families: Family[]): Family[] {
  const bySize = families.map((family) => ({ family, size: sizeOf(family) }));
  bySize.sort((one, other) => one.size - other.size);
  let left = seriesMax;
  const cut = new Map<MetricName, Family>();
  for (const [index, { family, size }] of bySize.entries()) {
    const share = Math.floor(left / (bySize.length - index));
    const kept =
      size <= share ? family : foldRest(family, Math.floor(share / eachSize(family.name)));
    left -= sizeOf(kept);
    cut.set(family.name, kept);
  }
  return families.map((family) => cut.get(family.name) ?? family);
}

function foldRest({ name, children }: Family, childrenMax: number): Family {
  const others = Object.fromEntries(metrics[name].labels.map((known) => [known, "other"]));
  const labels = /\{(.*)\}/.exec(seriesName(name, others))?.[1] ?? "";
  const named = children.filter((child) => child.labels !== labels);
  const kept = new Set(named.slice(0, childrenMax - 1));
  const values = new Map<string, number>();
  for (const child of children) {
    if (kept.has(child)) continue;
    for (const [key, value] of child.values) values.set(key, (values.get(key) ?? 0) + value);
  }
  return { name, children: [...kept, { labels, values }] };
}

function sizeOf({ name, children }: Family): number {
  return children.length * eachSize(name);
}

function eachSize(name: MetricName): number {
  const { buckets }: Metric = metrics[name];
  return buckets ? buckets.length + 3 : 1;
}

function text({ name, children }: Family): string {
  const { help, type } = metrics[name];
  const samples = children.flatMap((child) => samplesOf(name, child));
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples, ""].join("\n");
}

function samplesOf(name: MetricName, { labels, values }: Child): string[] {
  const { buckets }: Metric = metrics[name];
  const plain = labels && `{${labels}}`;
  if (!buckets) return [`${name}${plain} ${values.get("")}`];
  const count = values.get("_count") ?? 0;
  const bucket = (le: string, value: number) =>
    `${name}_bucket{${labels && `${labels},`}le="${le}"} ${value}`;
  return [
    ...buckets.map((bound) => bucket(String(bound), values.get(String(bound)) ?? 0)),
    bucket("+Inf", count),
    `${name}_sum${plain} ${(values.get("_sum") ?? 0) / 1e6}`,
    `${name}_count${plain} ${count}`,
  ];
}

function isMetric(name: string): name is MetricName {
  return Object.hasOwn(metrics, name);
}

function isHistogram(name: MetricName): boolean {
  return metrics[name].type === "histogram";
}
