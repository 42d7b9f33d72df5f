import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { retireAudit } from "../../lib/audit/retirement.js";
import { sealAudit } from "../../lib/audit/seal.js";
import { verifyAudit } from "../../lib/audit/verification.js";
import { cronCursors } from "../../lib/db/schema/crons.js";
import { enqueue } from "../../lib/queue/enqueue.js";
import { defineJob } from "../../lib/queue/job.js";
import { runDue } from "../../lib/queue/run-due.js";
import { entryDone } from "../../lib/queue/settle.js";
import { type Cron, runCron } from "../../lib/schedule/cron.js";
import { moveCursor, readCursor } from "../../lib/schedule/cursor.js";
import { claimSlot, type Lease } from "../../lib/schedule/lease.js";
import { aContext } from "../support/context.js";
import { useStores } from "../support/stores.js";
import { times, useTwoProcesses } from "../support/two-processes.js";

const soon = () => performance.now() + 10_000;

describe("parallel deliveries of a cron to two processes", () => {
  const secret = "the-clock-secret-of-the-tests";
  const processes = useTwoProcesses({ environment: { CRON_SECRET: secret } });
  const { at, sql } = processes;

  async function deliver(job: string, turn: number) {
    const headers = { authorization: `Bearer ${secret}` };
    const response = await fetch(`${at(turn)}/api/cron/${job}`, { headers });
    return { status: response.status, body: (await response.json()) as Report };
  }
  interface Report {
    slot: string;
    ran: boolean;
    parts: Record<string, { outcome: string; detail: Record<string, number> }>;
  }
  /** The recorded runs, also those that the servers started themselves. */
  const runs = (job: string) =>
    sql<{ slot: Date; token: number; finished_at: Date | null; failed_parts: string[] }>(
      "select * from cron_runs where job = $1 order by slot",
      [job],
    );
  const leaseOf = async (job: string) =>
    (await sql<{ token: number }>("select token from cron_leases where job = $1", [job]))[0];

  it.each(["tick", "cleanup"])(
    "run each slot of the %s once, with eight parallel and eight later deliveries",
    async (job) => {
      const answers = await Promise.all(times(8, (turn) => deliver(job, turn)));
      answers.push(...(await Promise.all(times(8, (turn) => deliver(job, turn)))));
      expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
      const ran = answers.filter(({ body }) => body.ran);
      for (const { body } of ran) {
        expect(Object.values(body.parts).map(({ outcome }) => outcome)).not.toContain("failed");
      }
      // The servers' own timers and the end of a minute may start a slot too; no slot may run twice.
      expect(new Set(ran.map(({ body }) => body.slot)).size).toBe(ran.length);
      const recorded = await runs(job);
      expect(recorded.length).toBeGreaterThan(0);
      expect(recorded.filter(({ failed_parts }) => failed_parts.length > 0)).toEqual([]);
      expect((await leaseOf(job))?.token).toBe(recorded.length);
    },
  );

  it("prune and seal each row once", async () => {
    await sql(
      `insert into webhook_events
       select 'mail', n::text, now() - interval '31 days' from generate_series(1, 3000) n`,
    );
    await sql(
      `insert into audit_log (at, actor_kind, action, correlation_id)
       select now() - interval '1 hour', 'system', 'user.updated', 'c' from generate_series(1, 500)`,
    );
    await sql("update cron_leases set done_slot = null, held_until = now() where job = 'cleanup'");
    const answers = await Promise.all(times(8, (turn) => deliver("cleanup", turn)));
    const ran = answers.filter(({ body }) => body.ran);
    const sum = (part: string, field: string) =>
      ran.reduce((total, { body }) => total + (body.parts[part]?.detail[field] ?? 0), 0);
    // The servers' own timers may have run in between: nothing is counted twice.
    expect(sum("prune_expired", "webhook_events")).toBeLessThanOrEqual(3000);
    expect(sum("seal_audit", "rows")).toBeLessThanOrEqual(500);
    expect(await sql("select 1 from webhook_events")).toEqual([]);
    expect(await sql("select rows from audit_seals")).toEqual([{ rows: 500 }]);
  });

  it("run in another process after the lease of a killed process expires", async () => {
    await sql(
      "update cron_leases set held_until = now() + interval '1 hour', done_slot = null where job = 'cleanup'",
    );
    const before = await leaseOf("cleanup");
    const answers = await Promise.all(times(4, (turn) => deliver("cleanup", turn)));
    expect(answers.map(({ body }) => body.ran)).toEqual([false, false, false, false]);
    await sql("update cron_leases set held_until = now() where job = 'cleanup'");
    const later = await Promise.all(times(4, (turn) => deliver("cleanup", turn)));
    expect(later.filter(({ body }) => body.ran).length).toBeLessThanOrEqual(1);
    expect((await leaseOf("cleanup"))?.token).toBe((before?.token ?? 0) + 1);
  });
});

describe("parallel workers over a real Postgres", () => {
  const stores = useStores();

  const aCron = (): Cron => ({
    name: `test-${randomUUID()}`,
    period: "hour",
    leaseSeconds: 50,
    budgetSeconds: 10,
    parts: [],
  });

  it("get one lease in each round, with an increasing token", async () => {
    const cron = aCron();
    const tokens: number[] = [];
    for (let round = 1; round <= 10; round += 1) {
      const claims = await Promise.all(times(8, () => claimSlot(aContext(), cron)));
      const leases = claims.flatMap((claim) => ("lease" in claim ? [claim.lease] : []));
      expect(leases).toHaveLength(1);
      tokens.push(...leases.map(({ token }) => token));
      await stores.sql("update cron_leases set held_until = now() where job = $1", cron.name);
    }
    expect(tokens).toEqual(times(10, (index) => index + 1));
  });

  it("can write only with the newest token, in any order of the writes", async () => {
    const cron = aCron();
    const leases: Lease[] = [];
    for (let round = 0; round < 5; round += 1) {
      const claim = await claimSlot(aContext(), cron);
      if ("lease" in claim) leases.push(claim.lease);
      await stores.sql("update cron_leases set held_until = now() where job = $1", cron.name);
    }
    const outcomes = await Promise.allSettled(
      leases.flatMap((lease) =>
        times(3, () => moveCursor(aContext(), lease, cron.name, String(lease.token))),
      ),
    );
    const kept = outcomes.filter(({ status }) => status === "fulfilled");
    expect(kept).toHaveLength(3);
    expect(await readCursor(aContext(), cron.name)).toBe("5");
  });

  it("reject the write of a worker whose lease was taken over", async () => {
    for (const _ of times(10, () => 0)) {
      const cron = aCron();
      const first = await claimSlot(aContext(), cron);
      if (!("lease" in first)) throw new Error("The first claim was refused.");
      await stores.sql("update cron_leases set held_until = now() where job = $1", cron.name);
      const [written, claimed] = await Promise.allSettled([
        moveCursor(aContext(), first.lease, cron.name, "old"),
        claimSlot(aContext(), cron),
      ]);
      expect(claimed).toMatchObject({ status: "fulfilled", value: { lease: { token: 2 } } });
      // The write happened before the other claim, or not at all.
      expect(await readCursor(aContext(), cron.name)).toBe(
        written.status === "fulfilled" ? "old" : "",
      );
      const late = moveCursor(aContext(), first.lease, cron.name, "late");
      await expect(late).rejects.toThrow();
    }
  });

  it("run a part once for eight parallel deliveries", async () => {
    let count = 0;
    const cron: Cron = { ...aCron(), parts: [["count", async () => (count += 1)]] };
    const outcomes = await Promise.all(times(8, () => runCron(aContext(), cron)));
    expect(count).toBe(1);
    expect(outcomes.filter(({ isGood }) => isGood)).toHaveLength(1);
  });

  it("run each of 40 jobs once, and commit its writes once", async () => {
    const keys = times(40, () => randomUUID());
    for (const key of keys) {
      await enqueue(aContext(), { kind: "write", key, payload: {} });
    }
    const write = defineJob({
      name: "write",
      payload: z.strictObject({}),
      async handle(ctx, job) {
        await ctx.db.batch([
          entryDone(ctx, job),
          ctx.db.insert(cronCursors).values({ name: job.key ?? "", position: String(job.attempt) }),
        ]);
        return { end: "done" };
      },
    });
    const counts = await Promise.all(times(6, () => runDue(aContext(), write, soon())));
    expect(counts.reduce((sum, { done }) => sum + done, 0)).toBe(40);
    const written = await stores.sql(
      "select position from cron_cursors where name = any($1::text[])",
      `{${keys}}`,
    );
    expect(written).toEqual(times(40, () => ({ position: "1" })));
  });
});

describe("the audit log over a real Postgres", () => {
  const stores = useStores();
  const someChanges = (minutesAgo: number, count = 50) =>
    stores.sql(
      `insert into audit_log (at, actor_kind, action, correlation_id)
       select now() - $1::interval, 'system', 'user.updated', 'c' from generate_series(1, $2::int)`,
      `${minutesAgo} minutes`,
      String(count),
    );

  it("is sealed in one chain by parallel workers, during other writes", async () => {
    await someChanges(6);
    for (let round = 0; round < 5; round += 1) {
      await Promise.all([
        ...times(4, () => inTurn(5, () => someChanges(0, 10))),
        ...times(4, () => inTurn(5, () => sealAudit(aContext(), soon()))),
      ]);
      await ageChanges();
    }
    await sealAudit(aContext(), soon());
    const found = await verifyAudit(aContext(), soon());
    expect(found).toMatchObject({ findings: [], rows: 50 + 5 * 4 * 50 });
    const seals = await stores.sql("select previous from audit_seals");
    expect(seals).toHaveLength(6);
    expect(new Set(seals.map(({ previous }) => previous)).size).toBe(6);
  });

  async function inTurn(count: number, act: () => Promise<unknown>): Promise<void> {
    for (let turn = 0; turn < count; turn += 1) await act();
  }

  /** Make the unsealed changes more than five minutes old. */
  async function ageChanges(): Promise<void> {
    await stores.sql("alter table audit_log disable trigger user");
    await stores.sql(
      `update audit_log set at = now() - interval '6 minutes'
       where id > (select max(last_id) from audit_seals)`,
    );
    await stores.sql("alter table audit_log enable trigger user");
  }

  /** Set the age of every seal. */
  async function ageSeals(days: number): Promise<void> {
    await stores.sql("alter table audit_seals disable trigger user");
    await stores.sql(
      "update audit_seals set at = now() - make_interval(days => $1::int)",
      String(days),
    );
    await stores.sql("alter table audit_seals enable trigger user");
  }
  const rowsLeft = async () => (await stores.sql("select id from audit_log")).length;

  it("is retired once by parallel workers", async () => {
    await someChanges(6);
    await sealAudit(aContext(), soon());
    const before = await rowsLeft();
    await ageSeals(91);
    const retired = await Promise.all(times(4, () => retireAudit(aContext(), soon())));
    expect(retired.reduce((sum, { rows }) => sum + rows, 0)).toBe(before - (await rowsLeft()));
    const [left] = await stores.sql(
      "select count(*) from audit_log where id <= (select max(last_id) from audit_seals)",
    );
    expect(left?.count).toBe("0");
  });

  it("lets a role with the documented grants append and retire rows, but not change them", async () => {
    const role = `app_${process.pid}`;
    /** One statement, so that `set local role` ends with it. */
    const asRole = (statement: string) =>
      stores.sql(`do $block$ begin set local role ${role}; ${statement}; end $block$`);
    await stores.sql(`create role ${role}`);
    try {
      for (const grant of grantsOf(role)) await stores.sql(grant);
      await someChanges(6, 3);
      await sealAudit(aContext(), soon());
      await ageSeals(29);
      const before = await rowsLeft();
      await asRole(
        "insert into audit_log (actor_kind, action, correlation_id) values ('system', 'user.updated', 'c')",
      );
      expect(await rowsLeft()).toBe(before + 1);
      for (const refused of [
        "update audit_log set reason = 'x'",
        "delete from audit_log",
        "truncate audit_log",
        "set local linguamate.audit_retirement = 'on'; delete from audit_log",
        "alter table audit_log disable trigger user",
        "delete from audit_seals",
        "update audit_retirements set age_days = 1",
      ]) {
        await expect(asRole(refused), refused).rejects.toThrow(/permission denied|must be owner/);
      }
      const retire = "perform retire_audit_rows((select max(last_id) from audit_seals), 30)";
      await asRole(retire);
      expect(await rowsLeft()).toBe(before + 1);
      await ageSeals(31);
      await asRole(retire);
      const [left] = await stores.sql(
        "select count(*) from audit_log where id <= (select max(last_id) from audit_seals)",
      );
      expect(left?.count).toBe("0");
    } finally {
      await stores.sql(`drop owned by ${role}`);
      await stores.sql(`drop role ${role}`);
    }
  });
});

/** The SQL of docs/decisions/019, for this role. */
function grantsOf(role: string): string[] {
  const page = readFileSync("docs/decisions/019-audit-seals.md", "utf8");
  const [, statements = ""] = /```sql\n(.*?)```/s.exec(page) ?? [];
  const lines = statements.trim().replaceAll("app_role", role).split(/;\n?/);
  return lines.filter(Boolean);
}
