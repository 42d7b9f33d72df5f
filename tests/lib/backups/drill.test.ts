import { isNull } from "drizzle-orm";
import pg from "pg";
import { beforeEach, describe, expect, it, vi } from "vitest";
import restoreDrill from "../../../api/cron/restore-drill.js";
import tick from "../../../api/cron/tick.js";
import type { Branch } from "../../../dev/neon-api/neon-endpoint.js";
import { sealAudit } from "../../../lib/audit/seal.js";
import { backupStore } from "../../../lib/backups/configured-store.js";
import { advanceDrill } from "../../../lib/backups/drill.js";
import { proveAudit } from "../../../lib/backups/proofs.js";
import { startDrill } from "../../../lib/backups/start-drill.js";
import type { Context } from "../../../lib/context.js";
import { restoreDrills } from "../../../lib/db/schema/backups.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { setEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { inMinutes, liveUrl, neonEnvironment, useNeon } from "../../support/neon-api.js";
import { someUsers } from "../../support/people.js";
import { nextSlot } from "../../support/slots.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const world = useNeon(stores);
const lines = useLogLines();

/** A past of an hour: canaries, users and sealed audit rows from before the target time. Remembered once. */
let isRemembered = false;
beforeEach(async () => {
  if (!isRemembered) {
    isRemembered = true;
    await someUsers(20);
    await stores.sql("update users set created_at = now() - interval '2 hours'");
    await stores.sql(
      `insert into audit_log (at, actor_kind, action, correlation_id)
       select now() - interval '1 hour', 'system', 'user.updated', 'c' from generate_series(1, 50)`,
    );
    await sealAudit(aContext(), performance.now() + 10_000);
    await stores.sql("insert into backup_canaries (at) values (now() - interval '30 minutes')");
    await stores.sql("update schema_migrations set applied_at = now() - interval '1 day'");
    await world.remember(new Date(Date.now() - 3_600_000));
  }
  await stores.sql("delete from backup_canaries where at > now() - interval '20 minutes'");
});

const rowOf = async () =>
  (
    await stores.sql(
      "select *, extract(epoch from proven_at - started_at) as rto from restore_drills order by started_at desc limit 1",
    )
  )[0] ?? {};
const findingsOf = async () =>
  JSON.parse((await rowOf()).findings ?? "[]") as {
    part: string;
    passed: boolean;
    detail: string;
  }[];
const failedParts = async () =>
  (await findingsOf()).filter(({ passed }) => !passed).map(({ part }) => part);
const alerting = async () =>
  (
    await stores.sql(
      "select series from telemetry_gauges where starts_with(series, 'restore_drill_failed') and value = 1",
    )
  ).map(({ series }) => /part="(\w+)"/.exec(series ?? "")?.[1]);

/** Each call is a minute after the one before; `onReady` changes the copy before it is proven. */
async function runDrill({
  onReady,
  minutesMax = 40,
}: {
  onReady?: (sql: pg.Client) => Promise<unknown>;
  minutesMax?: number;
} = {}): Promise<void> {
  await startDrill(inMinutes(0));
  let isChanged = false;
  for (let minute = 1; minute < minutesMax; minute += 1) {
    const { step, finished_at } = await rowOf();
    if (finished_at) return;
    if (step === "prove_canary" && onReady && !isChanged) {
      isChanged = true;
      await changeCopy(onReady);
    }
    await advanceDrill(inMinutes(minute));
    await ready();
  }
  expect((await rowOf()).finished_at).not.toBeNull();
}

/** Copies of the embedded Postgres take a moment. */
const ready = () =>
  Promise.all(world.neon.copies().map(({ database }) => database.catch(() => {})));

async function changeCopy(change: (sql: pg.Client) => Promise<unknown>): Promise<void> {
  const [copy] = world.neon.copies();
  const client = new pg.Client({ connectionString: (await copy?.database)?.uri });
  await client.connect();
  await client.query("set session_replication_role = replica");
  await change(client);
  await client.end();
}

/** A branch of yesterday, besides those of the drill. */
function addBranch(name: string, parentId = world.neon.branchId): Branch {
  const branch: Branch = {
    id: `br-${name}`,
    name,
    parentId,
    parentTimestamp: undefined,
    createdAt: new Date(Date.now() - 86_400_000).toISOString(),
    expiresAt: undefined,
    isDefault: false,
    isProtected: false,
    state: "ready",
    operationId: undefined,
    endpointId: `ep-${name}`,
    database: Promise.resolve({ uri: "none", drop: async () => {} }),
  };
  world.neon.state.branches.set(branch.id, branch);
  return branch;
}

describe("a restore drill", () => {
  it("proves a copy of a past time, deletes it, and records its times", async () => {
    await runDrill();
    expect(await findingsOf()).toEqual(
      ["canary", "rows", "migrations", "audit"].map((part) =>
        expect.objectContaining({ part, passed: true }),
      ),
    );
    expect(await rowOf()).toMatchObject({ succeeded: "t", started_by: "cron" });
    expect(Number((await rowOf()).rto)).toBeGreaterThanOrEqual(300);
    expect(Number((await rowOf()).rpo_seconds)).toBeGreaterThanOrEqual(14 * 60);
    expect(world.neon.copies()).toEqual([]);
    expect(await alerting()).toEqual([]);
    const created = world.neon.calls.find(
      ({ operationId }) => operationId === "createProjectBranch",
    );
    expect(created?.body).toMatchObject({
      branch: { parent_id: world.neon.branchId, expires_at: expect.any(String) },
    });
    expect(lines.read("restore_drill_succeeded")).toHaveLength(1);
    expect(JSON.stringify(await rowOf())).not.toContain("postgresql://");
  });

  it.each<[part: string, says: string, onReady: (sql: pg.Client) => Promise<unknown>]>([
    [
      "rows",
      "users has",
      (sql) => sql.query("delete from users where id = (select id from users limit 1)"),
    ],
    ["audit", "altered", (sql) => sql.query("update audit_log set action = 'x' where id = 3")],
    [
      "audit",
      "truncated",
      async (sql) => {
        // As if the log had been sealed before the target time.
        await stores.sql(
          `update restore_drills set expected = expected || jsonb_build_object('seal',
             (select jsonb_build_object('lastId', last_id, 'hash', hash) from audit_seals order by last_id desc limit 1))
           where finished_at is null`,
        );
        await sql.query("delete from audit_seals");
      },
    ],
    [
      "migrations",
      "0018_add_concurrent_at is missing",
      (sql) => sql.query("delete from schema_migrations where name = '0018_add_concurrent_at'"),
    ],
    ["canary", "is missing", (sql) => sql.query("delete from backup_canaries")],
    [
      "canary",
      "after the target time",
      (sql) => sql.query("insert into backup_canaries default values"),
    ],
  ])("detects a wrong copy (%s: %s), and leaves no copy behind", async (part, says, onReady) => {
    await runDrill({ onReady });
    expect(await failedParts()).toEqual([part]);
    expect((await findingsOf()).find(({ passed }) => !passed)?.detail).toContain(says);
    expect(await rowOf()).toMatchObject({ succeeded: "f" });
    expect(await alerting()).toEqual([part]);
    expect(world.neon.copies()).toEqual([]);
  });

  it("resolves the alert of a failed drill by the next one that succeeds", async () => {
    await runDrill({ onReady: (sql) => sql.query("delete from backup_canaries") });
    expect(await alerting()).toEqual(["canary"]);
    await runDrill();
    expect(await alerting()).toEqual([]);
  });

  it("leaves the alerts of the parts that it never reached", async () => {
    await stores.sql(
      `insert into telemetry_gauges select 'restore_drill_failed{part="' || part || '"}', 1, now()
       from unnest(array['create', 'wait', 'canary', 'rows', 'clean_up']) as part`,
    );
    world.neon.fail({ kind: "status", status: 400, operationId: "createProjectBranch" });
    await runDrill();
    expect((await alerting()).toSorted()).toEqual(["canary", "create", "rows", "wait"]);
    world.neon.fail(null);
    await runDrill();
    expect(await alerting()).toEqual([]);
  });

  it("starts one of several at once, and names it in every answer", async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => startDrill(inMinutes(0))));
    const { id } = await rowOf();
    expect(answers.filter(({ started }) => started)).toEqual([{ started: true, id }]);
    expect(new Set(answers.map((each) => each.id))).toEqual(new Set([id]));
    await stores.sql("delete from restore_drills where id = $1", id ?? null);
  });

  it("fails a proof of the audit log that makes no progress", async () => {
    await startDrill(inMinutes(0));
    let minute = 1;
    const advance = async () => {
      await advanceDrill(inMinutes(minute));
      await ready();
      minute += 1;
    };
    while (minute < 40 && (await rowOf()).step !== "prove_audit") await advance();
    const ctx = inMinutes(minute);
    const [drill] = await ctx.db
      .select()
      .from(restoreDrills)
      .where(isNull(restoreDrills.finishedAt));
    const store = await backupStore(ctx);
    if (!drill || !store) throw new Error("No drill is running.");
    await expect(proveAudit(ctx, store, drill, 0)).rejects.toThrow("no progress beyond row 0");
    while (minute < 40 && !(await rowOf()).finished_at) await advance();
    expect(await failedParts()).toEqual([]);
  });

  it("fails without a copy when the live database had no canary at the target time", async () => {
    const move = (interval: string) =>
      stores.sql("update backup_canaries set at = at + $1::interval", interval);
    await move("2 hours");
    await runDrill();
    await move("-2 hours");
    expect(await failedParts()).toEqual(["canary"]);
    expect(world.neon.calls.map(({ operationId }) => operationId)).toEqual(["listProjectBranches"]);
  });
});

/** As a process that dies before it has recorded the result of its `nth` step. */
function dyingAt(ctx: Context): Context {
  const batch = () => Promise.reject(new Error("killed"));
  return { ...ctx, db: Object.assign(Object.create(ctx.db) as Context["db"], { batch }) };
}

describe("a drill that is interrupted", () => {
  it("ends right after a kill between the effect and the record of every step", async () => {
    await startDrill(inMinutes(0));
    const killed: string[] = [];
    for (let minute = 1; minute < 40 && !(await rowOf()).finished_at; minute += 1) {
      const { step } = await rowOf();
      if (step && !killed.includes(step)) {
        killed.push(step);
        await expect(advanceDrill(dyingAt(inMinutes(minute)))).rejects.toThrow("killed");
        expect((await rowOf()).step).toBe(step);
        // The claim of the dead process still holds.
        expect(await advanceDrill(inMinutes(minute))).toBeNull();
        await stores.sql("update restore_drills set held_until = now() where finished_at is null");
      }
      await advanceDrill(inMinutes(minute));
      await ready();
    }
    expect(killed).toEqual([
      ...["create", "wait", "prove_canary", "prove_rows", "prove_migrations", "prove_audit"],
      "clean_up",
    ]);
    expect(await rowOf()).toMatchObject({ succeeded: "t" });
    expect(world.neon.copies()).toEqual([]);
    const created = world.neon.calls.filter(
      ({ operationId }) => operationId === "createProjectBranch",
    );
    expect(created).toHaveLength(1);
  });

  it("starts while counting the live rows takes longer than a request may", async () => {
    const match = (sent: unknown) => JSON.stringify(sent).includes("select count(*) as count from");
    await stores.faults.postgres.set({ kind: "latency", ms: 2500, match });
    expect(await startDrill(inMinutes(0))).toMatchObject({ started: true });
    await stores.faults.postgres.set(null);
    expect((await rowOf()).step).toBe("create");
  });

  it("ignores what an outdated call records", async () => {
    await startDrill(inMinutes(0));
    const outdated = inMinutes(1);
    const batch = outdated.db.batch.bind(outdated.db);
    let lateRecord = () => Promise.resolve();
    const slow = {
      ...outdated,
      db: Object.assign(Object.create(outdated.db), {
        batch: (...items: Parameters<typeof batch>) =>
          new Promise((resolve, reject) => {
            lateRecord = async () => void (await batch(...items).then(resolve, reject));
          }),
      }),
    };
    const late = advanceDrill(slow);
    await vi.waitFor(() => expect(world.neon.copies()).toHaveLength(1), { timeout: 15_000 });
    await stores.sql("update restore_drills set held_until = now() where finished_at is null");
    await vi.waitFor(async () => expect((await rowOf()).token).toBe("1"));
    await advanceDrill(inMinutes(2));
    await lateRecord();
    await late;
    expect((await rowOf()).step).toBe("wait");
    expect((await rowOf()).token).toBe("2");
    await runDrill();
    expect(world.neon.copies()).toEqual([]);
  });

  it.each(["createProjectBranch", "deleteProjectBranch"])(
    "survives a lost reply of %s",
    async (operationId) => {
      world.neon.fail({ kind: "lose-reply", operationId, times: 1 });
      await runDrill();
      expect(await rowOf()).toMatchObject({ succeeded: "t" });
      expect(world.neon.copies()).toEqual([]);
    },
  );

  it("waits while Neon is busy or down, and gives up a step in the end without leaving a copy", async () => {
    world.neon.fail({ kind: "status", status: 423, operationId: "getConnectionURI", times: 4 });
    await runDrill();
    expect(await rowOf()).toMatchObject({ succeeded: "t" });
    world.neon.fail({ kind: "status", status: 400, operationId: "createProjectBranch" });
    await runDrill();
    expect(await failedParts()).toEqual(["create"]);
    world.neon.fail({ kind: "status", status: 404, operationId: "getConnectionURI" });
    await runDrill();
    expect(await failedParts()).toEqual(["canary", "rows", "migrations", "audit"]);
    expect(world.neon.copies()).toEqual([]);
  });

  it.each<[what: string, says: string, keep: (copy: Branch) => void]>([
    [
      "the branch that DATABASE_URL reaches",
      "restore-drill-old is not deleted: DATABASE_URL reaches it",
      (copy) => {
        const live = world.neon.state.branches.get(world.neon.branchId);
        if (live) [live.endpointId, copy.endpointId] = [copy.endpointId, live.endpointId];
      },
    ],
    [
      "a protected branch",
      "restore-drill-old is not deleted: it is protected",
      (copy) => {
        copy.isProtected = true;
      },
    ],
  ])("never deletes %s, and alerts", async (_, says, keep) => {
    const old = addBranch("restore-drill-old");
    keep(old);
    addBranch("restore-drill-other");
    await runDrill();
    expect(world.neon.copies()).toEqual([old]);
    expect(await failedParts()).toEqual(["clean_up"]);
    expect((await findingsOf()).at(-1)?.detail).toContain(says);
    expect(await alerting()).toEqual(["clean_up"]);
    const deletions = world.neon.calls.filter(
      ({ operationId }) => operationId === "deleteProjectBranch",
    );
    expect(deletions.map(({ path }) => path.split("/").at(-1))).toEqual(
      expect.not.arrayContaining([old.id]),
    );
    expect(deletions).not.toEqual([]);
  });

  it.each([
    ["the endpoints cannot be read", "listProjectEndpoints"],
    ["the branches cannot be read", "listProjectBranches"],
  ])("deletes nothing while %s", async (_, operationId) => {
    addBranch("restore-drill-old");
    await startDrill(inMinutes(0));
    await stores.sql("update restore_drills set step = 'clean_up' where finished_at is null");
    world.neon.fail({ kind: "status", status: 400, operationId });
    await advanceDrill(inMinutes(1));
    await advanceDrill(inMinutes(2));
    expect(world.neon.copies()).toHaveLength(1);
    expect(await rowOf()).toMatchObject({ step: "clean_up" });
    world.neon.fail(null);
    for (const minute of [3, 4]) await advanceDrill(inMinutes(minute));
    expect(world.neon.copies()).toEqual([]);
  });

  it("is not fooled by a copy at the host of the live database with another port", async () => {
    world.neon.fail({
      kind: "rewrite",
      operationId: "getConnectionURI",
      rewrite: () => JSON.stringify({ uri: liveUrl.replace(".tech/", ".tech:5432/") }),
    });
    await runDrill();
    expect((await findingsOf())[0]?.detail).toContain("Neon's answer is the live database");
  });

  it("deletes copies of earlier drills and tells of them, but nothing else", async () => {
    const { neon } = world;
    addBranch("restore-drill-old");
    addBranch("restore-drill-of-another-branch", "br-staging-1");
    addBranch("preview");
    await runDrill();
    const left = neon.copies();
    expect(left.map(({ name }) => name)).toEqual(["restore-drill-of-another-branch", "preview"]);
    expect(await rowOf()).toMatchObject({ succeeded: "t", leftovers: "{restore-drill-old}" });
    expect(lines.read("restore_drill_leftover")).toHaveLength(1);
  });
});

describe("GET /api/cron/restore-drill", () => {
  it("starts one drill a month, which each tick advances by a step", async () => {
    const secret = "the-clock-secret-of-the-tests";
    setEnvironment({ ...neonEnvironment(world.neon), CRON_SECRET: secret });
    await nextSlot(stores);
    const run = (route: typeof tick) => call(route, "GET", { token: secret });
    const { body } = await run(restoreDrill);
    expect(body.parts.start_drill).toMatchObject({ outcome: "done", detail: { started: true } });
    expect((await run(restoreDrill)).body).toMatchObject({ ran: false });
    const report = await run(tick);
    expect(report.body.parts.advance_drill.detail).toEqual({ step: "create" });
    expect(await rowOf()).toMatchObject({ step: "wait" });
    await ready();
    await stores.sql("update restore_drills set step = 'clean_up' where finished_at is null");
    await advanceDrill(inMinutes(2));
    expect(world.neon.copies()).toEqual([]);
  });
});
