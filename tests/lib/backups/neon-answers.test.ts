import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findOperation } from "../../../dev/neon-api/api-document.js";
import type { BranchDatabase } from "../../../dev/neon-api/branch-databases.js";
import { type Corruption, corruptionsOf } from "../../../dev/neon-api/corruptions.js";
import { embeddedBranches } from "../../../dev/neon-api/embedded-branches.js";
import { checkBackups } from "../../../lib/backups/check.js";
import type { BackupCheck } from "../../../lib/backups/check-names.js";
import { advanceDrill } from "../../../lib/backups/drill.js";
import { operations } from "../../../lib/backups/neon-api/operations.js";
import { setSchedule, takeSnapshot } from "../../../lib/backups/operate.js";
import { startDrill } from "../../../lib/backups/start-drill.js";
import type { AppError } from "../../../lib/errors.js";
import { aContext } from "../../support/context.js";
import { inMinutes, liveUrl, noDatabases, useNeon } from "../../support/neon-api.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const world = useNeon(stores);
const isFull = process.env.PROVE === "full";

/** Which checks need which fields of an answer; a field inside of a needed one is listed too. */
const answers: Record<string, { checks: BackupCheck[]; fields: string[] }> = {
  getProject: {
    checks: ["pitr_window"],
    fields: ["", "project", "project/id", "project/history_retention_seconds"],
  },
  getProjectBranch: {
    checks: ["branch_ready"],
    fields: ["", "branch", "branch/id", "branch/current_state", "branch/expires_at"],
  },
  listProjectEndpoints: {
    checks: ["configured"],
    fields: ["", "endpoints", "endpoints/*", "endpoints/*/host", "endpoints/*/branch_id"],
  },
  getSnapshotSchedule: {
    checks: ["daily_schedule"],
    fields: ["", "schedule", "schedule/*", "schedule/*/frequency", "schedule/*/retention_seconds"],
  },
  listSnapshots: {
    checks: ["newest_snapshot", "days_covered"],
    fields: [
      "",
      "snapshots",
      "snapshots/*",
      "snapshots/*/created_at",
      "snapshots/*/source_branch_id",
      "snapshots/*/expires_at",
    ],
  },
};
/** The live branch and the snapshots have no `expires_at`. */
const changesNothing = ({ path, how }: Corruption) =>
  how === "reordered" ||
  (path.endsWith("/expires_at") && ["missing", "null"].includes(how)) ||
  (path === "snapshots/*/expires_at" && how === "a far future");

/** All of them, or all of the needed fields and one way of each other. */
function casesOf(operationId: string): Corruption[] {
  const all = corruptionsOf(operationId, 200);
  const fields = answers[operationId]?.fields ?? [];
  return isFull
    ? all
    : all.filter(({ path, how }) => fields.includes(path) || how === "wrong type");
}

const failed = async () =>
  (await checkBackups(aContext())).findings
    .filter(({ passed }) => !passed)
    .map(({ check }) => check);
const patient = isFull ? 600_000 : 120_000;

describe.each(Object.entries(answers))("the answer %s", (operationId, { checks, fields }) => {
  it(
    "fails exactly its own checks when a field that they need is wrong",
    async () => {
      const wrong: unknown[] = [];
      const cases = casesOf(operationId);
      for (const corruption of cases) {
        const { path, how, rewrite } = corruption;
        world.neon.fail({ kind: "rewrite", operationId, rewrite });
        const matters = fields.includes(path) && !changesNothing(corruption);
        const expected = matters ? checks : [];
        const found = await failed();
        if (found.join() !== expected.join()) wrong.push({ path, how, found, expected });
      }
      expect(wrong).toEqual([]);
      expect(cases.length).toBeGreaterThan(fields.length);
    },
    patient,
  );

  it(
    "never hides a backup that is unsafe",
    async () => {
      const { state } = world.neon;
      state.historySeconds = 3600;
      state.schedule = [{ frequency: "weekly", retention_seconds: 86_400 }];
      for (const snapshot of state.snapshots) snapshot.created_at = "2020-01-01T00:00:00Z";
      for (const branch of state.branches.values()) branch.state = "archived";
      for (const branch of state.branches.values()) branch.endpointId = "ep-other-1";
      const all = [
        "configured",
        "daily_schedule",
        "newest_snapshot",
        "days_covered",
        "pitr_window",
        "branch_ready",
      ];
      const hidden: unknown[] = [];
      for (const { path, how, rewrite } of casesOf(operationId)) {
        world.neon.fail({ kind: "rewrite", operationId, rewrite });
        const found = await failed();
        if (found.join() !== all.join()) hidden.push({ path, how, found });
      }
      expect(hidden).toEqual([]);
    },
    patient,
  );
});

describe("an answer that is late or withheld", () => {
  it.each(isFull ? Object.keys(answers) : ["getProject"])(
    "fails its own checks (%s)",
    async (operationId) => {
      for (const kind of ["hang", "lose-reply"] as const) {
        world.neon.fail({ kind, operationId });
        expect(await failed()).toEqual(answers[operationId]?.checks);
      }
    },
    patient,
  );
});

const by = { actor: { kind: "operator", id: randomUUID() }, reason: "a test" } as const;

/** Of the commands, with the fields without which they did nothing, as far as anyone can tell. */
const changes: Record<string, { change(): Promise<unknown>; fields: string[] }> = {
  createSnapshot: {
    change: () => takeSnapshot(aContext(), { by, dryRun: false }),
    fields: ["", "snapshot", "snapshot/name", "snapshot/source_branch_id", "snapshot/created_at"],
  },
  // The answer says nothing: the schedule is read again.
  setSnapshotSchedule: {
    change: () => setSchedule(aContext(), { hour: 5, retentionDays: 30 }, { by, dryRun: false }),
    fields: [],
  },
};

describe("a command", () => {
  beforeAll(() => {
    world.copyOf = noDatabases.copyOf;
  });

  it.each(Object.entries(changes))(
    "fails exactly when the answer does not show what it did (%s)",
    async (operationId, { change, fields }) => {
      const wrong: unknown[] = [];
      const all = corruptionsOf(operationId, 200);
      for (const { path, how, rewrite } of all) {
        if (!isFull && !fields.includes(path) && how !== "wrong type") continue;
        world.neon.fail({ kind: "rewrite", operationId, rewrite });
        const expected = fields.includes(path) ? "backup_store_unavailable" : "done";
        const found = await change().then(
          () => "done",
          (error: AppError) => error.code,
        );
        if (found !== expected) wrong.push({ path, how, found });
      }
      expect(wrong).toEqual([]);
      expect(all.length).toBeGreaterThan(fields.length);
    },
    patient,
  );

  it("does not say that it set a schedule which Neon does not have", async () => {
    const old = { schedule: [{ frequency: "daily", hour: 2, retention_seconds: 86_400 }] };
    world.neon.fail({
      kind: "rewrite",
      operationId: "getSnapshotSchedule",
      rewrite: () => JSON.stringify(old),
    });
    await expect(changes.setSnapshotSchedule?.change()).rejects.toThrow("backup_store_unavailable");
  });
});

it("corrupts the answer of every operation that is called", () => {
  const called = Object.values(operations).map(
    ({ method, path }) => findOperation(method, path.replaceAll(/\{\w+\}/g, "x"))?.id ?? path,
  );
  const corrupted = [answers, changes, Object.fromEntries(drillAnswers)].flatMap(Object.keys);
  expect([...new Set(corrupted)].sort()).toEqual(called.sort());
});

/** Of a drill, with their statuses. */
const drillAnswers: [operationId: string, status: number][] = [
  ["createProjectBranch", 201],
  ["listProjectBranches", 200],
  ["getProjectOperation", 200],
  ["getProjectBranch", 200],
  ["getConnectionURI", 200],
  ["listProjectEndpoints", 200],
  ["deleteProjectBranch", 200],
];

describe("a drill with corrupted answers", () => {
  let copy: BranchDatabase;
  let client: pg.Client;
  beforeAll(async () => {
    await stores.sql("insert into backup_canaries (at) values (now() - interval '30 minutes')");
    await stores.sql("update schema_migrations set applied_at = now() - interval '1 day'");
    const databases = embeddedBranches(liveUrl, () => stores.dump());
    await databases.remember(new Date(0));
    copy = await databases.copyOfLive(new Date());
    world.copyOfLive = async () => ({ uri: copy.uri, drop: async () => {} });
    client = new pg.Client({ connectionString: copy.uri });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await copy.drop();
  });

  async function begin(): Promise<void> {
    await stores.sql("delete from restore_drills");
    await stores.sql("delete from backup_canaries where at > now() - interval '20 minutes'");
    await startDrill(inMinutes(0));
  }
  async function finish(): Promise<boolean> {
    // Far apart, so that each step is given up at its second failure.
    for (let call = 0; call < 40; call += 1) {
      if (!(await advanceDrill(inMinutes(call * 180)))) break;
    }
    const [row] = await stores.sql("select succeeded from restore_drills");
    return row?.succeeded === "t";
  }
  async function drill(): Promise<boolean> {
    await begin();
    return finish();
  }

  const ofCleanUp = drillAnswers.filter(
    ([id]) => id !== "getProjectOperation" && /^(list|get|delete)Proj/.test(id),
  );
  it.each(ofCleanUp)(
    "never says that a copy is deleted which is not (%s)",
    async (operationId, status) => {
      const needed = /^$|^branch(es(\/\*(\/(id|name|parent_id|default|created_at))?)?|\/id)?$/;
      const all = corruptionsOf(operationId, status);
      const cases = isFull
        ? all
        : all.filter(({ path }, index) => needed.test(path) || index % 60 === 0);
      const wrong: unknown[] = [];
      for (const { path, how, rewrite } of cases) {
        await begin();
        for (let call = 0; call < 3; call += 1) await advanceDrill(inMinutes(call));
        await stores.sql(
          `update restore_drills set step = 'clean_up', proven_at = now(), findings =
             (select jsonb_agg(jsonb_build_object('part', part, 'passed', true, 'detail', ''))
              from unnest(array['canary', 'rows', 'migrations', 'audit']) part)
           where copy_id is not null`,
        );
        world.neon.fail({ kind: "rewrite", operationId, rewrite });
        const said = await finish();
        world.neon.fail(null);
        const copies = world.neon.copies();
        if (said && copies.length > 0) wrong.push({ path, how });
        for (const { id } of copies) world.neon.state.branches.delete(id);
      }
      expect(wrong).toEqual([]);
    },
    patient,
  );

  it.each(drillAnswers)(
    "never passes a wrong copy (%s)",
    async (operationId, status) => {
      expect(await drill()).toBe(true);
      const { rows } = await client.query("delete from backup_canaries returning id, at");
      const all = corruptionsOf(operationId, status);
      const cases = isFull ? all : all.filter(({ path }, index) => path === "" || index % 60 === 0);
      const passed: unknown[] = [];
      for (const { path, how, rewrite } of cases) {
        world.neon.fail({ kind: "rewrite", operationId, rewrite });
        if (await drill()) passed.push({ path, how });
      }
      expect(passed).toEqual([]);
      world.neon.fail(null);
      for (const { id, at } of rows) {
        await client.query("insert into backup_canaries values ($1, $2)", [id, at]);
      }
      // What a corrupted answer has left behind is deleted by the next drill.
      expect(await drill()).toBe(true);
      expect(world.neon.copies()).toEqual([]);
    },
    patient,
  );
});
