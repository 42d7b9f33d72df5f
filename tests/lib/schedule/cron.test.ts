import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { lacksRequiredRow } from "../../../lib/db/failures.js";
import { cleanupCron } from "../../../lib/schedule/cleanup.js";
import { type Cron, type CronPart, type CronRun, runCron } from "../../../lib/schedule/cron.js";
import { moveCursor, readCursor } from "../../../lib/schedule/cursor.js";
import { claimSlot, finishSlot, type Lease } from "../../../lib/schedule/lease.js";
import { changeConnection } from "../../support/changed-connection.js";
import { aContext } from "../../support/context.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const lines = useLogLines();
useEnvironment({ LOG_LEVEL: "info" });

/** A separate job for each test. */
function aCron(...parts: CronPart[]): Cron {
  const name = `test-${randomUUID()}`;
  return { name, period: "hour", leaseSeconds: 50, budgetSeconds: 10, parts };
}
const run = (cron: Cron) => runCron(aContext(), cron);
const runsOf = ({ name }: Cron) =>
  stores.sql("select token, failed_parts, finished_at from cron_runs where job = $1", name);
const leaseRunsOut = ({ name }: Cron) =>
  stores.sql("update cron_leases set held_until = now() where job = $1", name);

async function claimed(cron: Cron): Promise<Lease> {
  const claim = await claimSlot(aContext(), cron);
  if ("refused" in claim) throw new Error(`The slot was refused: ${claim.refused}`);
  return claim.lease;
}

/** Work that runs until the test ends it. */
function endless() {
  let end = () => {};
  let begin = () => {};
  const until = new Promise<void>((resolve) => {
    end = resolve;
  });
  const started = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const work = async () => {
    begin();
    await until;
    return "ended";
  };
  return { work, started, end: () => end() };
}

describe("runCron", () => {
  it("runs the parts in order and reports each", async () => {
    const order: string[] = [];
    const part = (name: string): CronPart => [name, async () => order.push(name)];
    const { report, isGood } = await run(aCron(part("first"), part("second"), part("third")));
    expect(order).toEqual(["first", "second", "third"]);
    expect(isGood).toBe(true);
    expect(report).toMatchObject({ ran: true, parts: { third: { outcome: "done", detail: 3 } } });
  });

  it("leaves time for the last statement of a part that stops at its end", async () => {
    const leftMs: number[] = [];
    const part = (budgetSeconds: number): CronPart => [
      `of_${budgetSeconds}`,
      async (_, { endMs }) => leftMs.push(endMs - performance.now()),
      { budgetSeconds },
    ];
    await run(aCron(part(8), part(2)));
    expect(leftMs[0]).toBeLessThanOrEqual(5500);
    expect(leftMs[1]).toBeLessThanOrEqual(1000);
    const { report } = await run(
      aCron([
        "backlog",
        async (_, { endMs }) => {
          while (performance.now() < endMs) await new Promise(setImmediate);
        },
        { budgetSeconds: 1 },
      ]),
    );
    expect(report.parts.backlog?.outcome).toBe("done");
  });

  it("gives the parts of the cleanup no more time than the run has", () => {
    const seconds = cleanupCron.parts.map(([, , options]) => options?.budgetSeconds ?? 8);
    const sum = seconds.reduce((total, each) => total + each, 0);
    expect(sum).toBeLessThanOrEqual(cleanupCron.budgetSeconds);
  });

  it("keeps time for each later part, when the budgets of the parts exceed that of the run", async () => {
    const { work, end } = endless();
    const slow = ["one", "two", "three"].map((name): CronPart => [name, work]);
    const quick = (name: string): CronPart => [name, async () => name];
    const cron = { ...aCron(...slow, quick("last")), budgetSeconds: 3 };
    const { report } = await run(cron);
    end();
    const outcomes = Object.values(report.parts).map(({ outcome }) => outcome);
    expect(outcomes).toEqual(["overdue", "overdue", "overdue", "done"]);
    const [one = 0, two = 0, three = 0] = Object.values(report.parts).map(
      ({ durationMs }) => durationMs,
    );
    expect(one).toBeGreaterThan(1500);
    expect(Math.min(two, three)).toBeGreaterThan(300);
  });

  it("runs once per slot", async () => {
    let times = 0;
    const cron = aCron(["count", async () => (times += 1)]);
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => run(cron)));
    outcomes.push(await run(cron));
    expect(times).toBe(1);
    expect(outcomes.filter(({ report }) => report.ran)).toHaveLength(1);
    expect(await runsOf(cron)).toMatchObject([{ token: "1", failed_parts: "{}" }]);
  });

  it("does not run in the next slot while the previous run is in progress", async () => {
    const { work, started, end } = endless();
    const cron = aCron(["endless", work]);
    const first = run(cron);
    await started;
    await stores.sql(
      "update cron_leases set slot = slot - interval '1 hour' where job = $1",
      cron.name,
    );
    expect((await run(cron)).report.ran).toBe(false);
    end();
    await first;
  });

  it("continues after a failed part, reports it, and runs the slot again", async () => {
    let fails = true;
    const done: string[] = [];
    const cron = aCron(
      [
        "fickle",
        async () => {
          if (fails) throw new Error("not today");
        },
      ],
      ["steady", async () => done.push("steady")],
    );
    const first = await run(cron);
    expect(first).toMatchObject({
      isGood: false,
      failure: new Error("not today"),
      report: { parts: { fickle: { outcome: "failed" }, steady: { outcome: "done" } } },
    });
    expect(done).toHaveLength(1);
    expect(lines.read("tick_part_failed")).toMatchObject([
      { level: "ERROR", data: { operation: "fickle", error: "Error: not today" } },
    ]);
    expect(await runsOf(cron)).toMatchObject([{ failed_parts: "{fickle}" }]);
    fails = false;
    expect((await run(cron)).isGood).toBe(true);
    expect(await runsOf(cron)).toMatchObject([{ token: "2", failed_parts: "{}" }]);
  });

  it("abandons a part that hangs, and skips parts without time left", async () => {
    const { work, end } = endless();
    const cron: Cron = {
      ...aCron(
        ["hangs", work, { budgetSeconds: 0.3 }],
        ["quick", async () => "done"],
        ["hangs_too", work],
        ["late", async () => "never"],
      ),
      budgetSeconds: 1,
    };
    const { report, isGood } = await run(cron);
    end();
    expect(isGood).toBe(false);
    expect(report.parts).toMatchObject({
      hangs: { outcome: "overdue" },
      quick: { outcome: "done" },
      hangs_too: { outcome: "overdue" },
      late: { outcome: "skipped" },
    });
    expect(await runsOf(cron)).toMatchObject([{ failed_parts: "{hangs,hangs_too,late}" }]);
  });

  it("runs the parts that need no database without Postgres, and rejects", async () => {
    const done: string[] = [];
    const tokens: number[] = [];
    const cron = aCron(
      ["needs_it", async () => done.push("needs_it")],
      [
        "page",
        async (_, { lease }) => {
          done.push("page");
          tokens.push(lease.token);
        },
        { withoutDatabase: true },
      ],
    );
    await stores.faults.postgres.set({ kind: "refuse" });
    await expect(run(cron)).rejects.toThrow();
    expect(done).toEqual(["page"]);
    expect(tokens).toEqual([0]);
  });

  it("does the same when Postgres rejects the connection", async () => {
    const done: string[] = [];
    const cron = aCron(["page", async () => done.push("page"), { withoutDatabase: true }]);
    changeConnection({ password: "changed" });
    await expect(run(cron)).rejects.toThrow();
    expect(done).toEqual(["page"]);
  });
});

describe("a lease", () => {
  it("is taken over with a higher token only after it has expired", async () => {
    const cron = aCron();
    const first = await claimed(cron);
    expect(await claimSlot(aContext(), cron)).toEqual({ slot: first.slot, refused: "under_way" });
    await leaseRunsOut(cron);
    const second = await claimed(cron);
    expect(second).toEqual({ ...first, token: first.token + 1 });
  });

  it("is refused after its slot is done, unless again is set", async () => {
    const cron = aCron();
    const lease = await claimed(cron);
    expect(await finishSlot(aContext(), lease, [])).toBe(true);
    expect(await claimSlot(aContext(), cron)).toEqual({ slot: lease.slot, refused: "done" });
    const again = await claimSlot(aContext(), cron, { again: true });
    expect(again).toMatchObject({ lease: { token: 2 } });
  });

  it("is refused for a slot before one that is done", async () => {
    const cron = aCron();
    const lease = await claimed(cron);
    await finishSlot(aContext(), lease, []);
    await stores.sql(
      "update cron_leases set done_slot = done_slot + interval '1 hour' where job = $1",
      cron.name,
    );
    expect(await claimSlot(aContext(), cron)).toMatchObject({ refused: "done" });
  });

  it("cannot write after it was taken over", async () => {
    const cron = aCron();
    const [old, name] = [await claimed(cron), `cursor-${cron.name}`];
    await moveCursor(aContext(), old, name, "by the old holder");
    await leaseRunsOut(cron);
    const current = await claimed(cron);
    await moveCursor(aContext(), current, name, "by the new holder");
    const refused = await moveCursor(aContext(), old, name, "late").catch((error) => error);
    expect(lacksRequiredRow(refused)).toBe(true);
    expect(await readCursor(aContext(), name)).toBe("by the new holder");
    expect(await finishSlot(aContext(), old, [])).toBe(false);
    expect(await claimSlot(aContext(), cron)).toMatchObject({ refused: "under_way" });
    expect(await finishSlot(aContext(), current, [])).toBe(true);
    expect(await runsOf(cron)).toMatchObject([{ token: String(current.token) }]);
  });

  it("that is lost during the work is logged, and the run is not a success", async () => {
    const runs: CronRun[] = [];
    const cron: Cron = {
      ...aCron([
        "slow",
        async (_, given) => {
          runs.push(given);
          await leaseRunsOut(cron);
          await claimed(cron);
        },
      ]),
    };
    expect((await run(cron)).isGood).toBe(false);
    expect(runs).toMatchObject([{ lease: { job: cron.name, token: 1 } }]);
    expect(lines.read("cron_lease_lost")).toMatchObject([
      { level: "WARN", data: { operation: cron.name } },
    ]);
  });
});
