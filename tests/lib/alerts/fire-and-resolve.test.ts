import { describe, expect, it } from "vitest";
import { type RuleName, rules } from "../../../lib/alerts/rules.js";
import { seriesName } from "../../../lib/observability/metrics.js";
import { redis } from "../../../lib/redis/client.js";
import { type AlertWorld, type Counts, requests, useAlerts } from "../../support/alerts.js";
import { useStores } from "../../support/stores.js";

const stores = useStores({ redisMs: 5000 });
const world = useAlerts(stores);

interface Scenario {
  rule: RuleName;
  label?: string;
  /** What makes it true, from one minute on; what a minute then counts. */
  breaks(world: AlertWorld): Promise<void> | void;
  wrong?: Counts;
  mends(world: AlertWorld): Promise<void> | void;
  right?: Counts;
  /** From the first wrong minute to the one in which it fires. */
  firesAfter: number;
  /** From the first right minute to the one in which it is resolved. */
  resolvesAfter: number;
  severity?: "critical" | "error";
  via: "pager" | "team" | "investigate";
  /** What else comes of the same fault. */
  also?: string[];
}

const nothing = () => {};
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
const backup = seriesName("backup_unsafe");
const chain = seriesName("audit_chain_broken");
const cleanup = seriesName("cron_last_success_timestamp_seconds", { job: "cleanup" });
const secondsAgo = (ago: number) => Math.floor(Date.now() / 1000) - ago;

const scenarios: Scenario[] = [
  {
    rule: "ErrorRateCritical",
    breaks: nothing,
    wrong: requests(100, { failed: 40 }),
    mends: nothing,
    firesAfter: 2,
    // The wrong minutes leave the window of five, then five minutes pass.
    resolvesAfter: 4 + 5,
    severity: "critical",
    via: "pager",
  },
  {
    rule: "ErrorRateWarning",
    breaks: nothing,
    wrong: requests(100, { failed: 4 }),
    mends: nothing,
    // Not over 1 % of the first five minutes before two of them were wrong.
    firesAfter: 1 + 5,
    resolvesAfter: 3 + 5,
    via: "investigate",
  },
  {
    rule: "LatencyP95Critical",
    breaks: nothing,
    wrong: requests(100, { over2s: 50 }),
    mends: nothing,
    firesAfter: 5,
    resolvesAfter: 4 + 5,
    via: "team",
  },
  {
    rule: "LatencyP95Warning",
    breaks: nothing,
    wrong: requests(100, { over1s: 50 }),
    mends: nothing,
    firesAfter: 5,
    resolvesAfter: 4 + 5,
    via: "investigate",
  },
  {
    rule: "RateLimitNearMax",
    label: "auth",
    breaks: nothing,
    wrong: limit(60),
    mends: nothing,
    right: limit(0),
    firesAfter: 5,
    resolvesAfter: 4 + 10,
    via: "investigate",
  },
  {
    rule: "LimitsDecidedLocally",
    breaks: nothing,
    wrong: { ...requests(100), ...limitCalls("redis", 40), ...limitCalls("local", 60) },
    mends: nothing,
    right: { ...requests(100), ...limitCalls("redis", 100) },
    firesAfter: 5,
    resolvesAfter: 4 + 10,
    via: "team",
  },
  {
    rule: "ExternalApiDown",
    label: "toolkit",
    breaks: nothing,
    wrong: calls(2, 8),
    mends: nothing,
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
    async mends() {
      await stores.faults.redis.set(null);
      // The client lets a Redis alone for a moment that did not answer.
      await expect.poll(() => redis().get("nothing"), { timeout: 15_000 }).toBe(null);
    },
    firesAfter: 1,
    resolvesAfter: 1,
    severity: "critical",
    via: "pager",
  },
  {
    rule: "SecurityEventsSpike",
    breaks: nothing,
    wrong: {
      ...requests(100),
      [seriesName("security_events_total", { event: "xss_attempt" })]: 12,
    },
    mends: nothing,
    firesAfter: 0,
    resolvesAfter: 4 + 15,
    via: "team",
  },
  {
    rule: "BackupUnsafe",
    breaks: ({ gauge }) => gauge(backup, 1),
    mends: ({ gauge }) => gauge(backup, 0),
    firesAfter: 0,
    resolvesAfter: 0,
    via: "team",
  },
  {
    rule: "AuditChainBroken",
    breaks: ({ gauge }) => gauge(chain, 1),
    mends: ({ gauge }) => gauge(chain, 0),
    firesAfter: 0,
    resolvesAfter: 0,
    severity: "critical",
    via: "pager",
  },
  {
    rule: "CronMissed",
    label: "cleanup",
    breaks: ({ gauge }) => gauge(cleanup, secondsAgo(3 * 3600)),
    mends: ({ gauge }) => gauge(cleanup, secondsAgo(0)),
    firesAfter: 0,
    resolvesAfter: 1,
    via: "investigate",
  },
  {
    rule: "DeadLetters",
    label: "jobs",
    breaks: () => deadJobs(1),
    mends: () => retried(),
    firesAfter: 0,
    resolvesAfter: 1,
    via: "investigate",
  },
  {
    rule: "DeadLetters",
    label: "mail",
    breaks: () => failedMails(5),
    mends: () => retried(),
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

/** As an operator has them tried again, with success. */
async function retried() {
  await stores.sql("delete from queue_entries where dead_at is not null");
}

describe("every alert fires once and is resolved once, through a side that first fails twice", () => {
  it.each(scenarios)("$rule", async (scenario) => {
    const { rule, label = "", breaks, mends, firesAfter, resolvesAfter, via } = scenario;
    const key = `test:${rule}:${label}`;
    const { wrong = requests(100), right = requests(100) } = scenario;
    let minute = 0;
    for (; minute < 6; minute += 1) await world.pass(minute, right);
    expect(await world.firing()).toEqual([]);
    for (const way of ["pager", "team", "investigate"] as const) {
      world[way].fail({ kind: "error", status: 500, times: 2 });
    }

    await breaks(world);
    const first = minute;
    for (; minute < first + firesAfter; minute += 1) {
      await world.pass(minute, wrong);
      expect(await world.firing(), `minute ${minute}`).toEqual([]);
    }
    for (; minute < first + firesAfter + 3; minute += 1) {
      await world.pass(minute, wrong);
      expect(await world.firing(), `minute ${minute}`).toContain(`${rule}:${label}`);
    }
    expect(told(via, key)).toEqual({ began: 1, ended: 0 });

    await mends(world);
    const mended = minute;
    for (; minute < mended + resolvesAfter; minute += 1) {
      await world.pass(minute, right);
      expect(await world.firing(), `minute ${minute}`).toContain(`${rule}:${label}`);
    }
    for (; minute < mended + resolvesAfter + 3; minute += 1) {
      await world.pass(minute, right);
      expect(await world.firing(), `minute ${minute}`).not.toContain(`${rule}:${label}`);
    }
    expect(told(via, key)).toEqual({ began: 1, ended: 1 });
    expect(await world.unsent()).toBe(0);
    const states = (await world.transitions(rule)).map((line) => line.split(" ")[1]);
    expect(states).toEqual(
      firesAfter === 0
        ? ["inactive→firing", "firing→inactive"]
        : ["inactive→pending", "pending→firing", "firing→inactive"],
    );
    const gauge = seriesName("alert_active", { rule, label });
    const [shown] = await stores.sql("select value from telemetry_gauges where series = $1", gauge);
    expect(shown).toEqual({ value: "0" });
  });

  it("is not raised by what was given up days ago, nor by a few addresses that are none", async () => {
    await deadJobs(1);
    await stores.sql("update queue_entries set dead_at = now() - interval '25 hours'");
    await failedMails(4);
    for (let minute = 0; minute < 3; minute += 1) await world.pass(minute);
    expect(await world.firing()).toEqual([]);
    await retried();
  });

  it("is tried for every rule of the table, here or below", () => {
    const elsewhere = ["HealthCheckFailing", "DrainStalled", "PagerUndelivered"];
    const tried = [...scenarios.map(({ rule }) => rule), ...elsewhere];
    expect([...new Set(tried)].sort()).toEqual(rules.map(({ name }) => name as string).sort());
  });
});

/** What reached a side about a key; whatever else reached anybody fails the test. */
function told(via: Scenario["via"], key: string) {
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
