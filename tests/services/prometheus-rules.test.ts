import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { parse, stringify } from "yaml";
import { type RuleName, rules, rulesByName, runbookSlug } from "../../lib/alerts/rules.js";
import { seriesName } from "../../lib/observability/metrics.js";
import { firesInEvaluator, promtoolTests, type Scenario } from "../support/alert-scenario.js";
import { promtool } from "../support/promtool.js";

const files = { "alerts.yml": readFileSync("docs/prometheus/alerts.yml", "utf8") };

/** The file with one alert only: promtool is slow over a day with all alerts. */
function only(name: RuleName): typeof files {
  const file = parse(files["alerts.yml"]);
  const prefix = runbookSlug(name).replaceAll("-", "_");
  const isPart = (rule: { record?: string; expr: string }) =>
    rule.record === "linguamate:scraped" ||
    rule.expr.includes(`${prefix}:`) ||
    rule.record?.startsWith(`${prefix}:`);
  for (const group of file.groups) group.rules = group.rules.filter(isPart);
  return { "alerts.yml": stringify(file) };
}

/** The number of minutes compared, at the end of a scenario. */
const comparedMax = 90;

/** Run the scenarios in promtool; in every minute it must fire exactly when our evaluator fires. */
function expectAgreement(scenarios: Scenario[], alerts = files): boolean[][] {
  const expected = scenarios.map((scenario) => firesInEvaluator(scenario));
  const tests = scenarios.map((scenario, index) => ({
    scenario,
    fires: expected[index] ?? [],
    from: Math.max(0, scenario.minutes - comparedMax),
  }));
  const run = promtool(["test", "rules", "tests.yml"], {
    files: { ...alerts, "tests.yml": promtoolTests(tests) },
  });
  expect(run.output.slice(0, 4000)).toContain("SUCCESS");
  expect(run.status).toBe(0);
  return expected.map((fires) => fires.slice(-comparedMax));
}

const repeated = <T>(times: number, value: T): T[] => Array.from({ length: times }, () => value);

/** A gauge that is good, then bad for some minutes, then good again. */
function gaugeScenario(
  name: RuleName,
  series: string,
  { good, bad, badFor = 8, label }: { good: number; bad: number; badFor?: number; label?: string },
): Scenario {
  const values = [...repeated(6, good), ...repeated(badFor, bad), ...repeated(12, good)];
  return {
    name: `${name} ${series}`,
    rule: rulesByName[name],
    gauges: { [series]: values },
    ...(label !== undefined && { label }),
    minutes: values.length,
  };
}

const toolkit = { service: "toolkit" };
const gaugeScenarios: Scenario[] = [
  ...["postgres", "redis", "self"].map((probe) =>
    gaugeScenario("HealthCheckFailing", seriesName("probe_failed", { probe }), {
      good: 0,
      bad: 1,
      label: probe,
    }),
  ),
  gaugeScenario("RedisDown", seriesName("probe_failed", { probe: "redis" }), {
    good: 0,
    bad: 1,
    label: "redis",
  }),
  gaugeScenario("ExternalApiDown", seriesName("circuit_breaker_state", toolkit), {
    good: 0,
    bad: 1,
    label: "toolkit",
  }),
  gaugeScenario("ExternalApiDown", seriesName("external_probe_failed", toolkit), {
    good: 0,
    bad: 1,
    label: "toolkit",
  }),
  gaugeScenario("DrainStalled", seriesName("telemetry_drain_lag_seconds"), { good: 180, bad: 181 }),
  gaugeScenario("BackupUnsafe", seriesName("backup_unsafe", { check: "pitr_window" }), {
    good: 0,
    bad: 1,
    label: "pitr_window",
  }),
  gaugeScenario("RestoreDrillFailed", seriesName("restore_drill_failed", { part: "rows" }), {
    good: 0,
    bad: 1,
    label: "rows",
  }),
  gaugeScenario("AuditChainBroken", seriesName("audit_chain_broken"), { good: 0, bad: 1 }),
  gaugeScenario("DeadLetters", seriesName("dead_letters", { queue: "mail" }), {
    good: 4,
    bad: 5,
    label: "mail",
  }),
  gaugeScenario("PagerUndelivered", seriesName("notice_unsent_seconds", { channel: "team" }), {
    good: 300,
    bad: 301,
    label: "team",
  }),
  // The last success stays at minute 10 until minute 17.
  {
    name: "CronMissed",
    rule: rulesByName.CronMissed,
    gauges: {
      [seriesName("cron_last_success_timestamp_seconds", { job: "tick" })]: Array.from(
        { length: 30 },
        (_, minute) => 60 * (minute >= 10 && minute < 18 ? 10 : minute),
      ),
    },
    label: "tick",
    minutes: 30,
  },
  // The last success stays at minute 5 until minute 20; four of these minutes were without Postgres.
  {
    name: "CronMissed, after an outage",
    rule: rulesByName.CronMissed,
    gauges: {
      [seriesName("cron_last_success_timestamp_seconds", { job: "tick" })]: Array.from(
        { length: 30 },
        (_, minute) => 60 * (minute >= 5 && minute < 20 ? 5 : minute),
      ),
      [seriesName("cron_outage_seconds", { job: "tick" })]: Array.from(
        { length: 30 },
        (_, minute) => (minute >= 7 && minute < 20 ? 240 : 0),
      ),
    },
    label: "tick",
    minutes: 30,
  },
  // Due from minute 0, first success in minute 10.
  {
    name: "CronMissed, before a first success",
    rule: rulesByName.CronMissed,
    gauges: {
      [seriesName("cron_first_due_timestamp_seconds", { job: "tick" })]: repeated(20, 0),
      [seriesName("cron_last_success_timestamp_seconds", { job: "tick" })]: Array.from(
        { length: 20 },
        (_, minute) => (minute < 10 ? null : 60 * minute),
      ),
    },
    label: "tick",
    minutes: 20,
  },
];

/** Minutes in which the value is above or below the rule's threshold, by the fraction `away`. */
interface Phase {
  isBad: boolean;
  minutes: number;
  away: number;
}

const phase = (isBad: boolean) =>
  fc.record({
    isBad: fc.constant(isBad),
    minutes: fc.integer({ min: 1, max: 14 }),
    away: fc.double({ min: 0.2, max: 0.9, noNaN: true }),
  });
const course = fc.record({
  phases: fc
    .array(fc.tuple(phase(true), phase(false)), { minLength: 1, maxLength: 4 })
    .map((pairs) => pairs.flat()),
  /** The traffic, as a multiple of the rule's minimum count. */
  load: fc.oneof(
    fc.double({ min: 1.2, max: 40, noNaN: true }),
    fc.double({ min: 0.1, max: 0.8, noNaN: true }),
  ),
});
type Course = (typeof course extends fc.Arbitrary<infer T> ? T : never) & { phases: Phase[] };

const countedRules = [
  "ErrorRateCritical",
  "LatencyP95Critical",
  "RateLimitNearMax",
  "LimitsDecidedLocally",
  "ExternalApiDown",
  "ErrorRateWarning",
  "LatencyP95Warning",
] as const;

const limitCalls = (policy: string, decided_by: string) =>
  seriesName("rate_limit_calls_total", { policy, decided_by });

function countedScenario(name: (typeof countedRules)[number], { phases, load }: Course): Scenario {
  const rule = rulesByName[name];
  const { condition } = rule;
  const ratio = condition.kind === "any" ? condition.of[0] : condition;
  if (ratio?.kind !== "ratio") throw new Error(`${name} is not a ratio.`);
  const exact = (ratio.countMin * load) / ratio.windowMinutes;
  const all = load > 1 ? Math.ceil(exact) : Math.floor(exact);
  const share = ratio.percent / 100;
  const quiet: Phase = { isBad: false, minutes: 6, away: 0.5 };
  const part = [quiet, ...phases].flatMap(({ isBad, minutes, away }) => {
    const bad = Math.min(all, Math.ceil(all * share * (1 + away)));
    return repeated(minutes, isBad ? bad : Math.floor(all * share * (1 - away)));
  });
  return {
    name: `${name} ${JSON.stringify({ phases, load })}`,
    rule,
    added: seriesFor(name, part, all),
    ...(ratio.by && { label: ratio.by === "service" ? "toolkit" : "auth" }),
    minutes: part.length,
  };
}

/** The series of the scenario, and others that must not count. */
function seriesFor(name: (typeof countedRules)[number], part: number[], all: number) {
  const rest = part.map((bad) => all - bad);
  const whole = part.map(() => all);
  const noise = part.map((_, minute) => (minute % 7) * 50);
  const request = (route: string, status: string) =>
    seriesName("http_requests_total", { route, method: "GET", status });
  const failure = (route: string, code: string) => seriesName("http_errors_total", { route, code });
  const took = (route: string, le?: string) =>
    seriesName(
      "http_request_duration_seconds",
      { route, ...(le && { le }) },
      le ? "_bucket" : "_count",
    );
  switch (name) {
    case "ErrorRateCritical":
    case "ErrorRateWarning":
      return {
        [request("/api/user", "200")]: rest,
        [request("/api/user", "503")]: part,
        [failure("/api/user", "service_unavailable")]: part.map((bad) => Math.floor(bad / 2)),
        [failure("/api/user", "internal_error")]: part.map((bad) => Math.ceil(bad / 2)),
        // Disabled by an operator, or a client error: not a server error.
        [failure("/api/user", "feature_disabled")]: noise,
        [failure("/api/user", "token_expired")]: noise,
        [request("/api/health", "503")]: noise,
        [failure("/api/health", "service_unavailable")]: noise,
        [request("/api/cron/tick", "503")]: noise,
        [failure("/api/cron/tick", "service_unavailable")]: noise,
      };
    case "LatencyP95Critical":
    case "LatencyP95Warning":
      return {
        [took("/api/user")]: whole,
        [took("/api/user", name === "LatencyP95Critical" ? "2" : "1")]: rest,
        [took("/api/user", "0.5")]: part.map(() => 0),
        [took("/api/health")]: noise,
        [took("/api/cron/tick")]: noise,
      };
    case "RateLimitNearMax":
      return {
        [limitCalls("auth", "redis")]: whole,
        [seriesName("rate_limit_near_max_total", { policy: "auth" })]: part,
        [limitCalls("default", "redis")]: noise,
      };
    case "LimitsDecidedLocally":
      return {
        [limitCalls("auth", "redis")]: rest.map((good) => Math.floor(good / 2)),
        [limitCalls("default", "postgres")]: rest.map((good) => Math.ceil(good / 2)),
        [limitCalls("default", "local")]: part,
      };
    case "ExternalApiDown": {
      const calls = (service: string, outcome: string, operation = "transcribe") =>
        seriesName("external_api_calls_total", { service, operation, outcome });
      return {
        // A 422 is not a failure; a health probe does not count at all.
        [calls("toolkit", "ok")]: rest.map((good) => Math.floor(good / 2)),
        [calls("toolkit", "status_422")]: rest.map((good) => Math.ceil(good / 2)),
        [calls("toolkit", "ok", "health")]: noise,
        [calls("toolkit", "timeout", "health")]: noise,
        [calls("toolkit", "timeout")]: part.map((bad) => Math.floor(bad / 2)),
        [calls("toolkit", "status_500")]: part.map((bad) => Math.ceil(bad / 2)),
        [calls("resend", "ok")]: noise,
      };
    }
  }
}

/** A day with a constant rate, then `times` that rate, below the escalation threshold. */
function spikeScenario(perMinute: number, times: number): Scenario {
  const each = [
    0,
    ...repeated(1460, perMinute),
    ...repeated(8, Math.round(perMinute * times)),
    ...repeated(40, perMinute),
  ];
  return {
    name: `SecurityEventsSpike ${perMinute} × ${times}`,
    rule: rulesByName.SecurityEventsSpike,
    added: {
      [seriesName("security_events_total", { event: "rate_limited" })]: each,
      [seriesName("security_events_total", { event: "authz_denied" })]: each.map(() => 0),
      [seriesName("security_events_total", { event: "admin_action" })]: each.map(() => 50),
    },
    minutes: each.length,
  };
}

// promtool evaluates hours of minutes, in parallel to other tests.
vi.setConfig({ testTimeout: 120_000 });

describe("the Prometheus rules", () => {
  it("fire and resolve in the same minutes as our evaluator, for every gauge rule", () => {
    const expected = expectAgreement(gaugeScenarios);
    for (const [index, scenario] of gaugeScenarios.entries()) {
      const fires = expected[index] ?? [];
      expect.soft(fires.filter(Boolean).length, scenario.name).toBeGreaterThan(3);
      expect.soft(fires.at(-1), scenario.name).toBe(false);
    }
  });

  it("agree with our evaluator in every minute of generated series, 20 % or more from the threshold", () => {
    const courses = fc.sample(course, { numRuns: 42, seed: 4 });
    for (const [at, name] of countedRules.entries()) {
      const own = courses.filter((_, index) => index % countedRules.length === at);
      const ofRule = expectAgreement(
        own.map((each) => countedScenario(name, each)),
        only(name),
      );
      expect
        .soft(
          ofRule.some((fires) => fires.includes(true)),
          name,
        )
        .toBe(true);
      expect
        .soft(
          ofRule.some((fires) => !fires.includes(true)),
          name,
        )
        .toBe(true);
    }
  });

  it("agree on spikes over three times the mean of a day", () => {
    const scenarios = [spikeScenario(4, 5), spikeScenario(4, 2), spikeScenario(1, 7)];
    const expected = expectAgreement(scenarios, only("SecurityEventsSpike"));
    expect(expected.map((fires) => fires.includes(true))).toEqual([true, false, true]);
  });

  it("count the first errors of a route, which increase() would miss", () => {
    const minutes = 20;
    const request = (status: string) =>
      seriesName("http_requests_total", { route: "/api/user", method: "GET", status });
    const failure = seriesName("http_errors_total", { route: "/api/user", code: "internal_error" });
    const from8 = Array.from({ length: minutes }, (_, minute) => (minute === 8 ? 40 : 0));
    const scenario: Scenario = {
      name: "a burst of a new status",
      rule: rulesByName.ErrorRateCritical,
      added: {
        [request("200")]: repeated(minutes, 10),
        [request("500")]: from8,
        [failure]: from8,
      },
      minutes,
    };
    const text = promtoolTests([{ scenario, fires: firesInEvaluator(scenario), from: 0 }]);
    // The series begins with its first 40: it has no earlier sample.
    const beginning = `values: ${repeated(8, 0).join(" ")} 40`;
    expect(text).toContain(beginning);
    const absent = text.replace(beginning, `values: ${repeated(8, "_").join(" ")} 40`);
    const run = promtool(["test", "rules", "tests.yml"], {
      files: { ...files, "tests.yml": absent },
    });
    expect(run.output).toContain("SUCCESS");
    expect(firesInEvaluator(scenario)).toContain(true);
  });

  it("do not fire for large totals in the first scrape of a new Prometheus", () => {
    const minutes = 12;
    const first = (count: number) => [count, ...repeated(minutes - 1, 0)];
    const request = (status: string) =>
      seriesName("http_requests_total", { route: "/api/user", method: "GET", status });
    const failure = seriesName("http_errors_total", { route: "/api/user", code: "internal_error" });
    const scenario: Scenario = {
      name: "the first scrape",
      rule: rulesByName.ErrorRateCritical,
      added: {
        [request("200")]: first(9000),
        [request("500")]: first(9000),
        [failure]: first(9000),
      },
      minutes,
    };
    const text = promtoolTests([{ scenario, fires: repeated(minutes, false), from: 0 }]);
    const run = promtool(["test", "rules", "tests.yml"], {
      files: { ...files, "tests.yml": text },
    });
    expect(run.output).toContain("SUCCESS");
  });

  it("fail the comparison when the expected alerts are wrong", () => {
    const [scenario] = gaugeScenarios;
    if (!scenario) throw new Error("No scenario.");
    const fires = firesInEvaluator(scenario).map((isFiring) => !isFiring);
    const text = promtoolTests([{ scenario, fires, from: 0 }]);
    const run = promtool(["test", "rules", "tests.yml"], {
      files: { ...files, "tests.yml": text },
    });
    expect(run.output).toContain("FAILED");
    expect(run.status).not.toBe(0);
  });

  it("are all covered by these tests", () => {
    const covered = [...gaugeScenarios.map(({ rule }) => rule.name), ...countedRules];
    const all = rules.map(({ name }) => name);
    expect([...new Set([...covered, "SecurityEventsSpike"])].sort()).toEqual([...all].sort());
  });
});
