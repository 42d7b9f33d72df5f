import { describe, expect, it } from "vitest";
import { type RuleName, rules } from "../../../lib/alerts/rules.js";
import { seriesName } from "../../../lib/observability/metrics.js";
import { redis } from "../../../lib/redis/upstash-client.js";
import { type AlertWorld, type Counts, requests, useAlerts } from "../../support/alerts.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const world = useAlerts(stores);

interface Scenario {
  rule: RuleName;
  label?: string;
  /** Starts the fault; `wrong` is what each minute then counts. */
  breaks(world: AlertWorld): Promise<void> | void;
  wrong?: Counts;
  repairs(world: AlertWorld): Promise<void> | void;
  right?: Counts;
  /** From the first wrong minute to the one in which it fires. */
  firesAfter: number;
  /** From the first right minute to the one in which it is resolved. */
  resolvesAfter: number;
  severity?: "critical" | "error";
  via: "pager" | "team" | "investigate";
  /** Other alerts of the same fault. */
  also?: string[];
}

const doNothing = () => {};
const limitCalls = (decided_by: string, count: number) => ({
  [seriesName("rate_limit_calls_total", { policy: "auth", decided_by })]: count,
});
const limit = (near: number): Counts => ({
  ...requests(100),
  ...limitCalls("redis", 100),
  [seriesName("rate_limit_near_max_total", { policy: "auth" })]: near,
});
const calls = (ok: number, failed: number): Counts => ({
  ...requests(100),
  ...external("ok", ok),
  ...external("timeout", failed),
});
const external = (outcome: string, count: number) => ({
  [seriesName("external_api_calls_total", { service: "toolkit", operation: "chat", outcome })]:
    count,
});
const backup = seriesName("backup_unsafe", { check: "pitr_window" });
const drill = seriesName("restore_drill_failed", { part: "canary" });
const chain = seriesName("audit_chain_broken");
const cleanup = seriesName("cron_last_success_timestamp_seconds", { job: "cleanup" });
const secondsAgo = (ago: number) => Math.floor(Date.now() / 1000) - ago;

const scenarios: Scenario[] = [
  {
    rule: "ErrorRateCritical",
    breaks: doNothing,
    wrong: requests(100, { failed: 40 }),
    repairs: doNothing,
    firesAfter: 2,
    // The wrong minutes leave the window of five, then five minutes pass.
    resolvesAfter: 4 + 5,
    severity: "critical",
    via: "pager",
  },
  {
    rule: "ErrorRateWarning",
    breaks: doNothing,
    wrong: requests(100, { failed: 4 }),
    repairs: doNothing,
    // Not over 1 % of the first five minutes before two of them were wrong.
    firesAfter: 1 + 5,
    resolvesAfter: 3 + 5,
    via: "investigate",
  },
  {
    rule: "LatencyP95Critical",
    breaks: doNothing,
    wrong: requests(100, { over2s: 50 }),
    repairs: doNothing,
    firesAfter: 5,
    resolvesAfter: 4 + 5,
    via: "team",
  },
  {
    rule: "LatencyP95Warning",
    breaks: doNothing,
    wrong: requests(100, { over1s: 50 }),
    repairs: doNothing,
    firesAfter: 5,
    resolvesAfter: 4 + 5,
    via: "investigate",
  },
  {
    rule: "RateLimitNearMax",
    label: "auth",
    breaks: doNothing,
    wrong: limit(60),
    repairs: doNothing,
    right: limit(0),
    firesAfter: 5,
    resolvesAfter: 4 + 10,
    via: "investigate",
  },
  {
    rule: "LimitsDecidedLocally",
    breaks: doNothing,
    wrong: { ...requests(100), ...limitCalls("redis", 40), ...limitCalls("local", 60) },
    repairs: doNothing,
    right: { ...requests(100), ...limitCalls("redis", 100) },
    firesAfter: 5,
    resolvesAfter: 4 + 10,
    via: "team",
  },
  {
    rule: "ExternalApiDown",
    label: "toolkit",
    breaks: doNothing,
    wrong: calls(2, 8),
    repairs: doNothing,
    right: calls(10, 0),
    // Half of the window is wrong from the fourth minute on, and until the first right one.
    firesAfter: 3 + 1,
    resolvesAfter: 1 + 5,
    via: "team",
  },
  {
    rule: "RedisDown",
    label: "redis",
    breaks: () => stores.faults.redis.set({ kind: "refuse" }),
    async repairs() {
      await stores.faults.redis.set(null);
      // The client skips Redis for a short time after a failure.
      await expect.poll(async () => (await redis()).get("nothing"), { timeout: 15_000 }).toBe(null);
    },
    firesAfter: 1,
    resolvesAfter: 1,
    severity: "critical",
    via: "pager",
  },
  {
    rule: "SecurityEventsSpike",
    breaks: doNothing,
    wrong: {
      ...requests(100),
      [seriesName("security_events_total", { event: "xss_attempt" })]: 12,
    },
    repairs: doNothing,
    firesAfter: 0,
    resolvesAfter: 4 + 15,
    via: "team",
  },
  {
    rule: "BackupUnsafe",
    label: "pitr_window",
    breaks: ({ gauge }) => gauge(backup, 1),
    repairs: ({ gauge }) => gauge(backup, 0),
    firesAfter: 0,
    resolvesAfter: 0,
    via: "team",
  },
  {
    rule: "RestoreDrillFailed",
    label: "canary",
    breaks: ({ gauge }) => gauge(drill, 1),
    repairs: ({ gauge }) => gauge(drill, 0),
    firesAfter: 0,
    resolvesAfter: 0,
    via: "team",
  },
  {
    rule: "AuditChainBroken",
    breaks: ({ gauge }) => gauge(chain, 1),
    repairs: ({ gauge }) => gauge(chain, 0),
    firesAfter: 0,
    resolvesAfter: 0,
    severity: "critical",
    via: "pager",
  },
  {
    rule: "CronMissed",
    label: "cleanup",
    breaks: ({ gauge }) => gauge(cleanup, secondsAgo(3 * 3600)),
    repairs: ({ gauge }) => gauge(cleanup, secondsAgo(0)),
    firesAfter: 0,
    resolvesAfter: 1,
    via: "investigate",
  },
  {
    rule: "DeadLetters",
    label: "jobs",
    breaks: () => deadJobs(1),
    repairs: () => retried(),
    firesAfter: 0,
    resolvesAfter: 1,
    via: "investigate",
  },
  {
    rule: "DeadLetters",
    label: "mail",
    breaks: () => failedMails(5),
    repairs: () => retried(),
    firesAfter: 0,
    resolvesAfter: 1,
    via: "investigate",
  },
];

async function deadJobs(count: number) {
  await stores.sql(
    `insert into queue_entries (id, kind, key, payload, correlation_id, dead_at)
     select gen_random_uuid(), 'k', 'dead ' || n, '{}', 'c', now() from generate_series(1, $1::int) n`,
    String(count),
  );
}

async function failedMails(count: number) {
  await stores.sql(
    `insert into queue_entries (id, kind, payload, correlation_id, created_at, expires_at, run_after, dead_at)
     select gen_random_uuid(), 'mail', '{}', 'c', now(), now() + interval '1 day', now(), now()
     from generate_series(1, $1::int)`,
    String(count),
  );
}

/** As after a successful retry by an operator. */
async function retried() {
  await stores.sql("delete from queue_entries where dead_at is not null");
}

describe("every alert fires once and is resolved once, although the destination first fails twice", () => {
  it.each(scenarios)("$rule", async (scenario) => {
    const { rule, label = "", breaks, repairs, firesAfter, resolvesAfter, via } = scenario;
    const key = `test:${rule}:${label}`;
    const { wrong = requests(100), right = requests(100) } = scenario;
    const first = 6;
    await world.endMinutes(0, first, right);
    expect(await world.firing()).toEqual([]);
    for (const way of ["pager", "team", "investigate"] as const) {
      world[way].fail({ kind: "error", status: 500, times: 2 });
    }

    await breaks(world);
    // Minutes before a change are evaluated together, but the last of them ends before the change.
    const fires = first + firesAfter;
    if (firesAfter > 0) {
      await world.endMinutes(first, fires, wrong);
      expect(await world.firing(), `minute ${fires - 1}`).toEqual([]);
    }
    for (let minute = fires; minute < fires + 3; minute += 1) {
      await world.endMinute(minute, wrong);
      expect(await world.firing(), `minute ${minute}`).toContain(`${rule}:${label}`);
    }
    expect(notificationsOf(via, key)).toEqual({ began: 1, ended: 0 });

    await repairs(world);
    const recovered = fires + 3;
    const resolves = recovered + resolvesAfter;
    for (let minute = recovered; minute < resolves; minute += 5) {
      const end = Math.min(minute + 5, resolves);
      await world.endMinutes(minute, end, right);
      expect(await world.firing(), `minute ${end - 1}`).toContain(`${rule}:${label}`);
    }
    for (let minute = resolves; minute < resolves + 3; minute += 1) {
      await world.endMinute(minute, right);
      expect(await world.firing(), `minute ${minute}`).not.toContain(`${rule}:${label}`);
    }
    expect(notificationsOf(via, key)).toEqual({ began: 1, ended: 1 });
    expect(await world.unsent()).toBe(0);
    const states = (await world.transitions(rule)).map((line) => line.split(" ")[1]);
    expect(states).toEqual(
      firesAfter === 0
        ? ["inactive→firing", "firing→inactive"]
        : ["inactive→pending", "pending→firing", "firing→inactive"],
    );
    const gauge = seriesName("alert_active", { rule, label });
    const [gaugeRow] = await stores.sql(
      "select value from telemetry_gauges where series = $1",
      gauge,
    );
    expect(gaugeRow).toEqual({ value: "0" });
  });

  it("does not fire for old dead jobs or for a few failed mails", async () => {
    await deadJobs(1);
    await stores.sql("update queue_entries set dead_at = now() - interval '25 hours'");
    await failedMails(4);
    for (let minute = 0; minute < 3; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).toEqual([]);
    await retried();
  });

  it("tests every rule of the table, here or elsewhere", () => {
    const elsewhere = ["HealthCheckFailing", "DrainStalled", "PagerUndelivered"];
    const tested = [...scenarios.map(({ rule }) => rule), ...elsewhere];
    expect([...new Set(tested)].sort()).toEqual(rules.map(({ name }) => name as string).sort());
  });
});

/** The notifications of a key to one destination; any other notification fails the test. */
function notificationsOf(via: Scenario["via"], key: string) {
  const rule = key.split(":")[1] ?? "";
  const pages = world.pager.incidents();
  const messages = { team: world.team.messages(), investigate: world.investigate.messages() };
  const others = [
    ...pages.filter((page) => page.key !== key || via !== "pager").map((page) => page.key),
    ...(["team", "investigate"] as const).flatMap((way) =>
      messages[way].filter((text) => way !== via || !text.includes(`${rule}:`)),
    ),
  ];
  expect(others).toEqual([]);
  if (via === "pager") {
    return {
      began: pages.reduce((sum, { triggers }) => sum + triggers, 0),
      ended: pages.filter(({ status }) => status === "resolved").length,
    };
  }
  const ended = messages[via].filter((text) => text.startsWith("Resolved: ")).length;
  return { began: messages[via].length - ended, ended };
}
