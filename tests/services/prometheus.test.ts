import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { ruleNames } from "../../lib/alerts/rules.js";
import { metrics, seriesName } from "../../lib/observability/metrics.js";
import { version } from "../../lib/version.js";
import { type PrometheusProcess, startPrometheus } from "../support/prometheus-process.js";
import { amtool, promtool } from "../support/promtool.js";
import { useTwoProcesses } from "../support/two-processes.js";

const token = "the-scrapers-token-of-the-tests";
const page = (name: string) => readFileSync(`docs/prometheus/${name}`, "utf8");
const polling = { timeout: 20_000, interval: 250 };

/** The example of docs/prometheus, with real targets and secrets. */
function configuration(targets: { job: string; url: string; tokenFile: string }[]): string {
  const example = parse(page("prometheus.yml"));
  const [scrape] = example.scrape_configs;
  return stringify({
    ...example,
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    scrape_configs: targets.map(({ job, url, tokenFile }) => ({
      ...scrape,
      job_name: job,
      scheme: "http",
      authorization: { credentials_file: tokenFile },
      static_configs: [{ targets: [new URL(url).host] }],
    })),
  });
}

describe("a real Prometheus", () => {
  const processes = useTwoProcesses({
    environment: { METRICS_TOKEN: token, GIT_COMMIT_SHA: "abc123" },
  });
  let prometheus: PrometheusProcess;

  const add = (series: string, value: number) =>
    processes.sql(
      `insert into telemetry_totals values ($1, $2)
        on conflict (series) do update set value = telemetry_totals.value + excluded.value`,
      [series, value],
    );
  const measure = (series: string, value: number) =>
    processes.sql(
      `insert into telemetry_gauges values ($1, $2, now())
        on conflict (series) do update set value = excluded.value, measured_at = now()`,
      [series, value],
    );
  const scrape = () =>
    fetch(`${processes.at(0)}/api/metrics`, { headers: { authorization: `Bearer ${token}` } });

  // A route that this file does not request, and a job that the server does not run.
  const answered = seriesName("http_requests_total", {
    route: "/api/stories/:storyId",
    method: "GET",
    status: "200",
  });

  beforeAll(async () => {
    await add(answered, 41);
    await add(seriesName("http_errors_total", { route: 'a"b\\c', code: "not_found" }), 3);
    for (const name of [
      "http_request_duration_seconds",
      "external_api_duration_seconds",
    ] as const) {
      const labels = { route: "/api/user", service: "toolkit", operation: "transcribe" };
      for (const le of ["1", "2", "5", "10"])
        await add(seriesName(name, { ...labels, le }, "_bucket"), 9);
      await add(seriesName(name, labels, "_count"), 10);
      await add(seriesName(name, labels, "_sum"), 12_500_000);
    }
    const labels = {
      ...{ policy: "auth", route: "/api/user", service: "toolkit", operation: "speak", event: "e" },
      ...{ outcome: "ok", reason: "signature", rule: "RedisDown", label: "", job: "restore-drill" },
      ...{ probe: "redis", channel: "page" },
    };
    for (const [name, { type }] of Object.entries(metrics) as [
      keyof typeof metrics,
      { type: string },
    ][]) {
      if (type === "counter" && name !== "http_requests_total")
        await add(seriesName(name, labels), 1);
      if (type === "gauge" && !["build_info", "telemetry_drain_lag_seconds"].includes(name)) {
        await measure(
          seriesName(name, labels),
          name.endsWith("timestamp_seconds") ? 1_700_000_000 : 1,
        );
      }
    }
    prometheus = await startPrometheus({
      "alerts.yml": page("alerts.yml").replace("interval: 1m", "interval: 1s"),
      token,
      "wrong-token": "guess",
      "prometheus.yml": configuration([
        { job: "linguamate", url: processes.at(0), tokenFile: "token" },
        { job: "stranger", url: processes.at(0), tokenFile: "wrong-token" },
      ]),
    });
  }, 60_000);
  afterAll(() => prometheus?.stop());

  it("scrapes the built server with the token, and gets 401 with a wrong token", async () => {
    const up = async () =>
      Object.fromEntries(
        (await prometheus.query("up")).map(({ labels, value }) => [labels.job, value]),
      );
    await expect.poll(up, polling).toEqual({ linguamate: 1, stranger: 0 });
    const { activeTargets } = await prometheus.api("targets");
    const errors = Object.fromEntries(
      activeTargets.map((target: { labels: { job: string }; lastError: string }) => [
        target.labels.job,
        target.lastError,
      ]),
    );
    expect(errors).toEqual({
      linguamate: "",
      stranger: expect.stringContaining("401"),
    });
  });

  it("finds every metric of the metrics table", async () => {
    const names = async () =>
      (await prometheus.query('count by (__name__) ({job="linguamate"})')).map(
        ({ labels }) => labels.__name__,
      );
    const expected = Object.entries(metrics).flatMap(([name, { type }]) =>
      type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    );
    await expect.poll(names, polling).toEqual(expect.arrayContaining(expected));
  });

  it("reads counters, their growth, seconds, quantiles and escaped labels", async () => {
    const total = async () => (await prometheus.query(answered))[0]?.value;
    await expect.poll(total, polling).toBe(41);
    await add(answered, 2);
    await expect.poll(total, polling).toBe(43);
    const [errors] = await prometheus.query('http_errors_total{code="not_found"}');
    expect(errors).toMatchObject({ labels: { route: 'a"b\\c' }, value: 3 });
    const [sum] = await prometheus.query('http_request_duration_seconds_sum{route="/api/user"}');
    expect(sum?.value).toBe(12.5);
    const [half] = await prometheus.query(
      'histogram_quantile(0.5, external_api_duration_seconds_bucket{operation="transcribe"})',
    );
    expect(half?.value).toBeGreaterThan(0.5);
    expect(half?.value).toBeLessThanOrEqual(1);
    const [build] = await prometheus.query("build_info");
    expect(build).toMatchObject({ labels: { version, sha: "abc123" }, value: 1 });
    const [job] = await prometheus.query(
      'cron_last_success_timestamp_seconds{exported_job="restore-drill"}',
    );
    expect(job).toMatchObject({ labels: { job: "linguamate", exported_job: "restore-drill" } });
  });

  it("loads our rules, and fires an alert from scraped data", async () => {
    const { groups } = await prometheus.api("rules");
    const found = groups.flatMap(({ rules }: { rules: { name: string; type: string }[] }) => rules);
    const alerts = found.filter(({ type }: { type: string }) => type === "alerting");
    expect([...new Set(alerts.map(({ name }: { name: string }) => name))].sort()).toEqual(
      [...ruleNames].sort(),
    );
    const unhealthy = async () =>
      (await prometheus.api("rules")).groups[0].rules.filter(
        ({ health }: { health: string }) => health !== "ok",
      );
    await expect.poll(unhealthy, polling).toEqual([]);
    const firing =
      'ALERTS{alertname="CronMissed",exported_job="restore-drill",alertstate="firing"}';
    await expect
      .poll(() => prometheus.query(firing), polling)
      .toMatchObject([
        { labels: { exported_job: "restore-drill", priority: "P3", notify: "investigate" } },
      ]);
  });

  it("runs every query of the dashboard, and finds data for the panels that always have data", async () => {
    const { panels } = JSON.parse(page("dashboard.json"));
    const queries: [string, string][] = panels.flatMap(
      ({ title, targets }: { title: string; targets: { expr: string }[] }) =>
        targets.map(({ expr }) => [title, expr.replaceAll("$job", "linguamate")]),
    );
    expect(queries.length).toBeGreaterThan(ruleNames.length);
    const withData = new Set<string>();
    for (const [title, expr] of queries) {
      const found = await prometheus.query(expr).catch(() => null);
      expect.soft(found, `${title}: ${expr}`).not.toBeNull();
      if (found?.length) withData.add(title);
    }
    expect([...withData]).toEqual(
      expect.arrayContaining([
        "Requests a second, by status",
        "Live sessions",
        "Alerts that fire",
        "RedisDown (P1)",
        "CronMissed (P3)",
      ]),
    );
  });

  it("accepts the metrics text, the rules and the example configuration in promtool", async () => {
    const text = await (await scrape()).text();
    const checked = promtool(["check", "metrics"], { stdin: text });
    expect(checked).toEqual({ status: 0, output: "" });
    const rules = promtool(["check", "rules", "alerts.yml"], {
      files: { "alerts.yml": page("alerts.yml") },
    });
    expect(rules.output).toContain("SUCCESS");
    expect(rules.status).toBe(0);
    const config = promtool(["check", "config", "prometheus.yml"], {
      files: {
        "alerts.yml": page("alerts.yml"),
        token,
        "prometheus.yml": page("prometheus.yml").replace(
          /credentials_file: .*/,
          "credentials_file: token",
        ),
      },
    });
    expect(config.output).toContain("SUCCESS");
    expect(config.status).toBe(0);
  });

  it("ships a configuration of Alertmanager that amtool accepts, with a receiver for each channel", () => {
    const files = { "alertmanager.yml": page("alertmanager.yml") };
    const checked = amtool(["check-config", "alertmanager.yml"], { files });
    expect(checked.output).toContain("SUCCESS");
    expect(checked.status).toBe(0);
    const receiverOf = (...labels: string[]) =>
      amtool(["config", "routes", "test", "--config.file=alertmanager.yml", ...labels], {
        files,
      }).output.split("\n")[0];
    expect(["page", "team", "investigate"].map((name) => receiverOf(`notify=${name}`))).toEqual([
      "page",
      "team",
      "investigate",
    ]);
    expect(receiverOf("notify=other", "channel=page")).toBe("team");
    expect(receiverOf("notify=other", "channel=team")).toBe("page");
  });

  it("gets gzip-compressed text when it accepts gzip", async () => {
    const reply = await fetch(`${processes.at(1)}/api/metrics`, {
      headers: { authorization: `Bearer ${token}`, "accept-encoding": "gzip" },
    });
    expect(reply.headers.get("content-encoding")).toBe("gzip");
    expect(reply.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await reply.text()).toContain("# TYPE http_requests_total counter");
  });
});
