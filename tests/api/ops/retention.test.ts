import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import cleanup from "../../../api/cron/cleanup.js";
import metrics from "../../../api/metrics.js";
import retention from "../../../api/ops/retention/index.js";
import removals from "../../../api/ops/retention/removals.js";
import runs from "../../../api/ops/retention/runs.js";
import verification from "../../../api/ops/verification.js";
import { env } from "../../../lib/env.js";
import { dropOldDays } from "../../../lib/schedule/retention/access-log-days.js";
import { retentionClasses } from "../../../lib/schedule/retention/classes.js";
import { pruneExpired } from "../../../lib/schedule/retention/expired.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { anOperator, type OperatorPerson, operate } from "../../support/operators.js";
import { aUser } from "../../support/people.js";
import { nextSlot } from "../../support/slots.js";
import { useStores } from "../../support/stores.js";

const cronSecret = "cron-secret-of-the-tests";
const environment = { CRON_SECRET: cronSecret, METRICS_TOKEN: "metrics-token-of-the-tests" };
useEnvironment(environment);
const stores = useStores();
let operator: OperatorPerson;
beforeAll(async () => {
  setEnvironment(environment);
  operator = await anOperator(stores);
});
beforeEach(() => nextSlot(stores));

const read = async (route: Parameters<typeof call>[0], url?: string) =>
  (await call(route, "GET", { token: operator.token, ...(url && { url }) })).body;
const run = (body = {}) => operate(runs, "POST", operator.token, body);
const classOf = async (name: string) =>
  (await read(retention)).classes.find((each: { name: string }) => each.name === name);
const anOldDelivery = (age: string) =>
  stores.sql(
    "insert into webhook_events values ('mail', $1, now() - $2::interval)",
    randomUUID(),
    age,
  );
const days = async () =>
  (
    await stores.sql(
      "select relname from pg_class where relname ~ '^access_log_20[0-9]{6}$' order by 1",
    )
  ).map(({ relname }) => relname);

/** An old day of the access log with a row, attached to it or left detached. */
async function anOldDay(day: string, isAttached = true): Promise<string> {
  const name = `access_log_${day.replaceAll("-", "")}`;
  await stores.sql(`create table ${name} (like access_log including defaults)`);
  await stores.sql(
    `insert into ${name} (inserted_at, at, count, one_in, route, method, status, duration_ms, release)
     select $1::timestamptz + interval '1 hour', now(), 1, 1, '/', 'GET', 200, 1, 'x'`,
    `${day}T00:00:00Z`,
  );
  await stores.sql(`analyze ${name}`);
  if (isAttached) {
    await stores.sql(
      `alter table access_log attach partition ${name}
       for values from ('${day} 00:00:00+00') to ('${day} 23:59:59.999999+00')`,
    );
  }
  return name;
}

describe("GET /api/ops/retention", () => {
  it("lists every class with its age, its oldest row and what is beyond", async () => {
    await stores.sql("delete from webhook_events");
    await anOldDelivery("721 hours");
    await anOldDelivery("719 hours");
    const found = await read(retention);
    expect(found.classes.map(({ name }: { name: string }) => name)).toEqual(
      retentionClasses.map(({ name }) => name),
    );
    expect(await classOf("webhook_events")).toMatchObject({
      keptHours: 720,
      setBy: null,
      beyond: 1,
      isOverdue: false,
      oldestAt: expect.stringMatching(/Z$/),
    });
    expect(await classOf("access_log")).toMatchObject({
      keptHours: 365 * 24,
      setBy: "ACCESS_LOG_RETENTION_DAYS",
      removal: "partitions",
    });
    // No day has ended, and no session has expired.
    await aUser();
    for (const name of ["access_log", "sessions_expired"]) {
      expect((await classOf(name)).oldestAt, name).toBeNull();
    }
    const ended = await anOldDay(new Date(Date.now() - 2 * 86_400_000).toISOString().slice(0, 10));
    expect(Date.parse((await classOf("access_log")).oldestAt)).toBeLessThanOrEqual(Date.now());
    await stores.sql(`drop table ${ended}`);
    expect(await classOf("audit_log")).toMatchObject({
      keptHours: 2160,
      removal: "sealed segments",
    });
  });

  it("counts no further than its maximum", async () => {
    await stores.sql(
      "insert into webhook_events select 'many', n::text, now() - interval '40 days' from generate_series(1, 50001) n",
    );
    const { beyondMax } = await read(retention);
    expect((await classOf("webhook_events")).beyond).toBe(beyondMax);
    await stores.sql("delete from webhook_events");
  });

  it("calls a class overdue when two cleanups have left its rows, and verify fails", async () => {
    const inVerify = async () =>
      (await read(verification)).findings.find(
        ({ name }: { name: string }) => name === "retention",
      );
    await stores.sql("delete from webhook_events");
    expect(await inVerify()).toMatchObject({ status: "pass" });
    await anOldDelivery("721 hours");
    expect(await inVerify()).toMatchObject({ status: "pass" });
    await anOldDelivery("723 hours");
    expect(await inVerify()).toMatchObject({
      status: "fail",
      detail: expect.stringMatching(/^webhook_events since .*, kept 720 h$/),
    });
    await stores.sql("delete from webhook_events");
    await anOldDay("2024-01-01");
    expect(await inVerify()).toMatchObject({
      status: "fail",
      detail: expect.stringContaining("access_log since 2024-01-02T00:00:00.000Z"),
    });
    await stores.sql("drop table access_log_20240101");
  });
});

describe("POST /api/ops/retention/runs", () => {
  it("is no run of the cleanup: what that recorded stays, and nothing is recorded as failed", async () => {
    const recorded = () =>
      stores.sql(
        "select slot::text, token, failed_parts, finished_at::text from cron_runs where job = 'cleanup' order by slot",
      );
    const before = await recorded();
    expect((await run()).body).toMatchObject({ done: "Removed nothing." });
    expect(await recorded()).toEqual(before);
    expect((await call(cleanup, "GET", { token: cronSecret })).status).toBe(200);
    const cleaned = await recorded();
    expect(cleaned).toHaveLength(before.length + 1);
    expect((await run()).status).toBe(200);
    expect(await recorded()).toEqual(cleaned);
  });

  it("removes what is beyond its age, and reports it by class", async () => {
    await stores.sql("delete from webhook_events");
    await anOldDelivery("721 hours");
    await anOldDelivery("719 hours");
    const day = await anOldDay("2024-02-01");
    const dry = await run({ dryRun: true });
    expect(dry.body).toMatchObject({
      done: "Would remove 2 rows of 2 classes.",
      detail: {
        removed: [
          { class: "access_log", rows: 1 },
          { class: "webhook_events", rows: 1 },
        ],
      },
    });
    expect(await days()).toContain(day);
    const { status, body } = await run();
    expect(status).toBe(200);
    expect(body).toMatchObject({
      done: "Removed 2 rows of 2 classes.",
      undo: null,
      detail: {
        unfinished: [],
        removed: [
          { class: "access_log", rows: 1, to: "2024-02-02T00:00:00.000Z" },
          { class: "webhook_events", rows: 1 },
        ],
      },
    });
    expect(await days()).not.toContain(day);
    expect(await stores.sql("select from webhook_events")).toHaveLength(1);
    const [audited] = await stores.sql(
      "select subject_id from audit_log where action = 'cron.run' order by id desc limit 1",
    );
    expect(audited?.subject_id).toBe("cleanup");
  });

  it("removes restore drills that ended over 400 days ago, and no running one", async () => {
    const insert = (age: string, end: string) =>
      stores.sql(
        `insert into restore_drills (id, started_at, started_by, target_at, step, step_started_at, held_until,
           copy_name, expected, finished_at)
         values (gen_random_uuid(), now() - $1::interval, 'cron', now(), 'clean_up', now(), now(), $1, '{}', ${end})`,
        age,
      );
    await insert("401 days", "now()");
    await insert("399 days", "now()");
    await insert("402 days", "null");
    await run();
    const left = await stores.sql("delete from restore_drills returning copy_name");
    expect(left.map(({ copy_name }) => copy_name).sort()).toEqual(["399 days", "402 days"]);
  });

  it("leaves the sealing of the hour to the cleanup, which still runs", async () => {
    await run();
    const { body } = await call(cleanup, "GET", { token: cronSecret });
    expect(body).toMatchObject({ ran: true, parts: { seal_audit: { outcome: "done" } } });
  });

  it("removes once when it runs twice at the same time", async () => {
    await stores.sql("delete from retention_removals");
    await stores.sql(
      "insert into webhook_events select 'twice', n::text, now() - interval '40 days' from generate_series(1, 1500) n",
    );
    const answers = await Promise.all([run(), run()]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const [sum] = await stores.sql(
      "select sum(rows) as rows from retention_removals where class = 'webhook_events'",
    );
    expect(sum?.rows).toBe("1500");
  });

  it("shows each removal in the report and in the metrics", async () => {
    await stores.sql("delete from retention_removals");
    await anOldDelivery("722 hours");
    await run();
    const { items } = await read(removals, "http://localhost:8080/api/ops/retention/removals");
    expect(items).toMatchObject([{ class: "webhook_events", rows: 1, runs: 1 }]);
    expect((await classOf("webhook_events")).lastRemovalAt).toMatch(/Z$/);
    const text = await call(metrics, "GET", { token: environment.METRICS_TOKEN });
    expect(String(text.body)).toMatch(
      /retention_removed_rows_total\{class="webhook_events"\} [1-9]/,
    );
    expect(String(text.body)).toContain('retention_removed_rows_total{class="cron_runs"} 0');
  });
});

describe("retention", () => {
  it("gives each class a turn, so that a backlog of one delays no other", async () => {
    await stores.sql(
      "insert into security_events (at, event, count, correlation_id) select now() - interval '40 days', 'e', 1, 'c' from generate_series(1, 2500)",
    );
    await anOldDelivery("722 hours");
    await stores.resetCalls();
    const counts = await pruneExpired(aContext(), performance.now() + 60_000);
    expect(counts).toMatchObject({ security_events: 2500, webhook_events: 1 });
    const turns = stores.faults.postgres.calls.map(({ body }) => {
      const text = JSON.stringify(body);
      if (text.includes("webhook_events")) return "w";
      return text.includes("security_events") ? "s" : "";
    });
    expect(turns.join("")).toBe("swss");
  });

  it("keeps the report of what was removed exact when a run is cut off", async () => {
    await stores.sql("delete from retention_removals");
    await stores.sql(
      "insert into webhook_events select 'cut', n::text, now() - interval '40 days' from generate_series(1, 2500) n",
    );
    const isThird = (() => {
      let seen = 0;
      return (body: unknown) => JSON.stringify(body).includes("webhook_events") && ++seen === 3;
    })();
    await stores.faults.postgres.set({ kind: "reset", match: isThird });
    await expect(pruneExpired(aContext(), performance.now() + 60_000)).rejects.toThrow();
    const left = await stores.sql("select from webhook_events where source = 'cut'");
    const [sum] = await stores.sql(
      "select sum(rows) as rows from retention_removals where class = 'webhook_events'",
    );
    expect(Number(sum?.rows) + left.length).toBe(2500);
    expect(left.length).toBeGreaterThan(0);
    await stores.faults.postgres.set(null);
    await stores.sql("delete from webhook_events");
  });

  it("removes nothing early by the clock of one machine", async () => {
    await anOldDelivery("719 hours");
    const ahead = { ...aContext(), now: new Date(Date.now() + 400 * 86_400_000) };
    expect(await pruneExpired(ahead, performance.now() + 60_000)).toMatchObject({
      webhook_events: 0,
    });
    await anOldDelivery("722 hours");
    const behind = { ...aContext(), now: new Date(Date.now() - 3 * 3_600_000) };
    expect(await pruneExpired(behind, performance.now() + 60_000)).toMatchObject({
      webhook_events: 0,
    });
    await stores.sql("delete from webhook_events");
  });

  it("drops every day past its age, also one that was left detached, and no other", async () => {
    const before = await days();
    await anOldDay("2024-03-01");
    await anOldDay("2024-03-02", false);
    await anOldDay("2024-03-03");
    const young = new Date(Date.now() - (env().telemetry.accessLogRetentionDays - 1) * 86_400_000);
    const kept = await anOldDay(young.toISOString().slice(0, 10));
    expect(await dropOldDays(aContext(), performance.now() + 60_000)).toEqual({
      dropped: 3,
      postponed: false,
    });
    expect(await days()).toEqual([...before, kept].toSorted());
    await stores.sql(`drop table ${kept}`);
  });
});
