import { describe, expect, it } from "vitest";
import { type MetricName, metrics, seriesName } from "../../../../lib/observability/metrics.js";
import { exposition, seriesMax } from "../../../../lib/telemetry/metrics/exposition.js";

const samples = (series: [string, number][]) =>
  exposition(new Map(series))
    .split("\n")
    .filter((line) => line && !line.startsWith("#"));
const ofMetric = (lines: string[], name: MetricName) =>
  lines.filter((line) => line.startsWith(name));
const sum = (lines: string[]) =>
  lines.reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);

describe("exposition", () => {
  it("groups each metric, for any order of the rows", () => {
    const names = ["http_requests_total", "security_events_total", "http_requests_total"] as const;
    const series = names.map((name, turn): [string, number] => {
      const labels = { route: `/${turn}`, method: "GET", status: "200", event: "e" };
      return [seriesName(name, labels), turn];
    });
    const lines = exposition(new Map(series)).split("\n");
    expect(lines.filter((line) => line.startsWith("# TYPE http_requests_total"))).toHaveLength(1);
    const at = lines.indexOf("# TYPE http_requests_total counter");
    expect(lines[at + 1]).toContain('route="/0"');
    expect(lines[at + 2]).toContain('route="/2"');
  });

  it("keeps escaped label values unchanged", () => {
    const odd = seriesName("http_errors_total", { route: 'a"b\\c\nd,le="x"}', code: "" });
    expect(samples([[odd, 1]])).toContain(`${odd} 1`);
  });

  it("omits invalid lines and series of unknown metrics", () => {
    const bad: [string, number][] = [
      ["unknown_total", 1],
      ["http_errors_total{route=unquoted}", 1],
      ['http_errors_total{route="a"} 5\nfake_total', 1],
      ['http_errors_total{route="line\nbreak",code="x"}', 1],
      ['http_requests_total_count{route="a"}', 1],
      ["http_request_duration_seconds", 1],
      ['http_request_duration_seconds_bucket{route="a"}', 1],
      ["constructor", 1],
      ['security_events_total{event="nan"}', Number.NaN],
    ];
    const lines = samples(bad);
    expect(lines.toSorted()).toEqual([
      "telemetry_events_total 0",
      "telemetry_lost_batches_total 0",
    ]);
  });

  it("fills missing histogram buckets with 0, and +Inf with the count", () => {
    const lines = samples([
      [seriesName("http_request_duration_seconds", { route: "a" }, "_count"), 4],
    ]);
    const histogram = ofMetric(lines, "http_request_duration_seconds");
    expect(histogram).toHaveLength(metrics.http_request_duration_seconds.buckets.length + 3);
    expect(histogram).toContain('http_request_duration_seconds_bucket{route="a",le="10"} 0');
    expect(histogram).toContain('http_request_duration_seconds_bucket{route="a",le="+Inf"} 4');
    expect(histogram).toContain('http_request_duration_seconds_sum{route="a"} 0');
  });

  it("has a maximum number of series, loses no count, and cuts only the largest metric", () => {
    const errors = Array.from({ length: 9000 }, (_, n): [string, number] => {
      return [seriesName("http_errors_total", { route: `/${n}`, code: "not_found" }), n];
    });
    errors.push([seriesName("http_errors_total", { route: "other", code: "other" }), 7]);
    const durations = Array.from({ length: 400 }, (_, n) =>
      (["_count", "_sum"] as const).map((suffix): [string, number] => {
        return [seriesName("http_request_duration_seconds", { route: `/${n}` }, suffix), 1e6];
      }),
    ).flat();
    const small: [string, number] = [seriesName("security_events_total", { event: "e" }), 5];
    const lines = samples([...errors, ...durations, small]);
    expect(lines.length).toBeLessThanOrEqual(seriesMax);
    expect(lines.length).toBeGreaterThan(seriesMax - 30);
    expect(lines).toContain('security_events_total{event="e"} 5');
    const kept = ofMetric(lines, "http_errors_total");
    expect(sum(kept)).toBe((9000 * 8999) / 2 + 7);
    expect(new Set(kept.map((line) => line.replace(/ \d+$/, ""))).size).toBe(kept.length);
    expect(kept.at(-1)).toMatch(/^http_errors_total\{route="other",code="other"\} \d+$/);
    const counts = lines.filter((line) => line.startsWith("http_request_duration_seconds_count"));
    expect(sum(counts)).toBe(400e6);
    expect(counts.at(-1)).toContain('{route="other"}');
  });
});
