import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import runs from "../../../api/ops/crons/[job]/runs.js";
import crons from "../../../api/ops/crons/index.js";
import retries from "../../../api/ops/jobs/[jobId]/retries.js";
import jobs from "../../../api/ops/jobs/index.js";
import outbox from "../../../api/ops/outbox/index.js";
import outboxRetries from "../../../api/ops/outbox/retries.js";
import { call } from "../../support/call.js";
import { anOperator, type OperatorPerson, operate } from "../../support/operators.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
let operator: OperatorPerson;
beforeAll(async () => {
  operator = await anOperator(stores);
});
const read = (route: Parameters<typeof call>[0]) => call(route, "GET", { token: operator.token });
const run = (job: string, body = {}) =>
  call(runs, "POST", {
    token: operator.token,
    url: `http://localhost:8080/api/ops/crons/${job}/runs`,
    body: { reason: "a test", ...body },
  });
const audits = (action: string) => stores.sql("select * from audit_log where action = $1", action);

describe("/api/ops/crons", () => {
  it("shows each job's last run, runs a job on request any number of times, and writes an audit row", async () => {
    const [before] = (await read(crons)).body.crons;
    expect(before).toMatchObject({ job: "tick", doneSlot: null, missedSlots: null });
    expect(Date.parse(before.dueAt) % 60_000).toBe(0);
    expect((await run("tick", { dryRun: true })).body.dryRun).toBe(true);
    expect((await read(crons)).body.runs).toEqual([]);
    for (let time = 1; time <= 2; time++) {
      const { body } = await run("tick");
      expect(body.detail).toMatchObject({ ran: true });
      expect(body.done).toContain("drain_events done");
      expect(await audits("cron.run")).toHaveLength(time);
    }
    const [tick] = (await read(crons)).body.crons;
    expect(tick).toMatchObject({
      job: "tick",
      dueAt: null,
      missedSlots: 0,
      isLate: false,
      isRunning: false,
    });
  });

  it("refuses the restore drill without a backup store, as `drill run` does", async () => {
    expect(await run("restore-drill")).toMatchObject({
      status: 409,
      code: "backups_not_configured",
    });
    expect((await run("restore-drill", { dryRun: true })).status).toBe(409);
  });

  it("returns 404 for an unknown job", async () => {
    expect((await run("nonsense")).status).toBe(404);
  });
});

describe("/api/ops/jobs", () => {
  it("lists dead jobs without their payload, and retries one", async () => {
    const id = randomUUID();
    await stores.sql(
      `insert into queue_entries (id, kind, key, payload, correlation_id, attempts, dead_at, last_error)
       values ($1, 'export', 'k', '{"secret": "payload"}', 'c', 8, now(), 'TypeError')`,
      id,
    );
    const { body } = await read(jobs);
    expect(body).toMatchObject({
      dead: 1,
      waiting: 0,
      items: [{ id, state: "dead", attempts: 8 }],
    });
    expect(JSON.stringify(body)).not.toContain("payload");
    const retry = (jobId: string, more = {}) =>
      call(retries, "POST", {
        token: operator.token,
        url: `http://localhost:8080/api/ops/jobs/${jobId}/retries`,
        body: { reason: "a test", ...more },
      });
    await retry(id, { dryRun: true });
    expect((await read(jobs)).body.dead).toBe(1);
    expect((await retry(id)).status).toBe(200);
    expect((await read(jobs)).body).toMatchObject({ dead: 0, waiting: 1 });
    expect((await retry(id)).status).toBe(404);
    expect(await audits("job.retried")).toHaveLength(1);
  });
});

describe("GET /api/ops/jobs with pages", () => {
  it("lists every job once: the dead ones, the newest first, then the pending ones, the next due first", async () => {
    await stores.sql("delete from queue_entries");
    // Of each state, two are in the same millisecond.
    for (const [at, micros] of [300_001, 300_002, 700_000].entries()) {
      const time = `timestamptz '2026-01-31T08:00:00Z' - make_interval(secs => ${micros} / 1000000.0)`;
      await stores.sql(
        `insert into queue_entries (id, kind, key, payload, correlation_id, run_after, dead_at) values
         (gen_random_uuid(), 'k', 'dead ${at}', '{}', 'dead ${at}', now(), ${time}),
         (gen_random_uuid(), 'k', 'waiting ${at}', '{}', 'waiting ${at}', ${time}, null)`,
      );
    }
    const found: string[] = [];
    let cursor: string | null = "";
    for (let page = 0; cursor !== null && page < 9; page += 1) {
      const query = cursor && `&cursor=${cursor}`;
      const url = `http://localhost:8080/api/ops/jobs?limit=2${query}`;
      const { body } = await call(jobs, "GET", { token: operator.token, url });
      expect(body).toMatchObject({ dead: 3, waiting: 3 });
      expect(body.items).toHaveLength(2);
      found.push(...body.items.map((item: { correlationId: string }) => item.correlationId));
      cursor = body.nextCursor;
    }
    expect(found).toEqual(["dead 0", "dead 1", "dead 2", "waiting 2", "waiting 1", "waiting 0"]);
  });
});

describe("/api/ops/outbox", () => {
  it("lists what is tried again, with the last error and the next attempt", async () => {
    await stores.sql("delete from queue_entries");
    await stores.sql(
      `insert into queue_entries (id, kind, payload, correlation_id, created_at, expires_at, run_after,
         attempts, last_error)
       select gen_random_uuid(), 'mail', '{"to": {"email": "ada@example.com"}}', 'c', now(),
         now() + interval '1 day', '2100-01-01T00:00:00Z', attempts, case attempts when 0 then null else 'network' end
       from unnest(array[0, 2]) as attempts`,
    );
    const { body } = await read(outbox);
    expect(body.retrying).toEqual([
      {
        id: expect.any(String),
        kind: "mail",
        attempts: 2,
        nextAt: "2100-01-01T00:00:00.000Z",
        lastError: "network",
        correlationId: "c",
      },
    ]);
    const { done } = (await operate(outboxRetries, "POST", operator.token, {})).body;
    expect(done).toContain("Those that wait are tried again by themselves.");
    await stores.sql("delete from queue_entries");
  });

  it("lists failed messages without their recipients, and retries them", async () => {
    await stores.sql("delete from queue_entries");
    await stores.sql(
      `insert into queue_entries (id, kind, payload, correlation_id, created_at, expires_at, run_after,
         dead_at, last_error)
       values (gen_random_uuid(), 'mail', '{"to": {"email": "ada@example.com"}}', 'c', now(),
         now() + interval '1 day', now(), now(), 'status_422')`,
    );
    const { body } = await read(outbox);
    expect(body).toMatchObject({
      kinds: [{ kind: "mail", waiting: 0, failed: 1, oldestAt: null }],
      failures: [{ lastError: "status_422" }],
    });
    expect(JSON.stringify(body)).not.toContain("ada@");
    expect((await operate(outboxRetries, "POST", operator.token, { dryRun: true })).body.done).toBe(
      "Would queue 1 failed mails and alert notices for another attempt.",
    );
    await operate(outboxRetries, "POST", operator.token, {});
    expect((await read(outbox)).body.kinds).toMatchObject([{ waiting: 1, failed: 0 }]);
    expect(await audits("outbox.retried")).toHaveLength(1);
  });
});
