/** The inverse of `seriesName`; `metric` includes a suffix such as `_count`. */
export function parseSeriesName(series: string): {
  metric: string;
  labels: Record<string, string>;
} {
  const brace = series.indexOf("{");
  if (brace < 0) return { metric: series, labels: {} };
  const labels: Record<string, string> = {};
  for (const [, name = "", value = ""] of series.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
    labels[name] = value.replace(/\\(.)/g, (_, sign) => (sign === "n" ? "\n" : sign));
  }
  return { metric: series.slice(0, brace), labels };
}
