import { afterAll, beforeAll, beforeEach } from "vitest";
import type { BranchDatabases } from "../../dev/neon-api/branch-databases.js";
import { embeddedBranches } from "../../dev/neon-api/embedded-branches.js";
import { type NeonEndpoint, startNeonEndpoint } from "../../dev/neon-api/neon-endpoint.js";
import type { Context } from "../../lib/context.js";
import { aContext } from "./context.js";
import { setEnvironment } from "./environment.js";
import type { Stores } from "./stores.js";

/** Neon as the database is there: the names are what the drill asks for. */
export const liveUrl = "postgresql://linguamate:live@ep-main-000001.stand-in.neon.tech/linguamate";
const hourMs = 3_600_000;

export interface NeonWorld {
  neon: NeonEndpoint;
  /** Remember what the live database holds now, as of `at`: a copy of a later time holds it. */
  remember(at: Date): Promise<void>;
  /** Makes the copies, instead of a new embedded Postgres for each. */
  copyOfLive?: BranchDatabases["copyOfLive"];
  copyOf?: BranchDatabases["copyOf"];
}

/** Neon's API over the embedded Postgres of the test file, healthy before each test. */
export function useNeon(stores: Stores, environment: Record<string, string> = {}): NeonWorld {
  const world = {} as NeonWorld;
  beforeAll(async () => {
    const databases = embeddedBranches(liveUrl, () => stores.dump());
    world.neon = await startNeonEndpoint({
      ...databases,
      copyOfLive: (at) => (world.copyOfLive ?? databases.copyOfLive)(at),
      copyOf: (database) => (world.copyOf ?? databases.copyOf)(database),
    });
    world.remember = databases.remember;
  });
  afterAll(() => world.neon.close());
  beforeEach(async () => {
    await healthy(world.neon, stores);
    setEnvironment({ ...neonEnvironment(world.neon), ...environment });
  });
  return world;
}

export const neonEnvironment = ({ url, apiKey, projectId, branchId }: NeonEndpoint) => ({
  NEON_API_URL: url,
  NEON_API_KEY: apiKey,
  NEON_PROJECT_ID: projectId,
  NEON_BRANCH_ID: branchId,
  DATABASE_URL: liveUrl,
});

/** For tests that make no branch. */
export const noDatabases: BranchDatabases = {
  live: { uri: liveUrl, drop: async () => {} },
  copyOfLive: () => Promise.reject(new Error("There are no databases.")),
  copyOf: async () => ({ uri: liveUrl, drop: async () => {} }),
  close: async () => {},
};

/** 30 days of snapshots, a schedule, and a restore drill that succeeded a week ago. */
export async function healthy(neon: NeonEndpoint, stores: Pick<Stores, "sql">): Promise<void> {
  const { state } = neon;
  neon.fail(null);
  neon.calls.splice(0);
  state.historySeconds = 7 * 86_400;
  state.schedule = [{ frequency: "daily", hour: 2, retention_seconds: 30 * 86_400 }];
  state.snapshots = [];
  const nowMs = Date.now();
  for (let day = 0; day < 30; day += 1) neon.addSnapshot(new Date(nowMs - (day * 24 + 3) * hourMs));
  for (const { id } of neon.copies()) state.branches.delete(id);
  for (const branch of state.branches.values()) {
    Object.assign(branch, { state: "ready", expiresAt: undefined, endpointId: "ep-main-000001" });
  }
  await stores.sql("delete from restore_drills");
  await stores.sql("delete from telemetry_gauges");
  await stores.sql(
    `insert into restore_drills (id, started_at, started_by, target_at, step, step_started_at, held_until, copy_name,
       expected, succeeded, proven_at, rpo_seconds, finished_at)
     select gen_random_uuid(), past, 'cron', past, 'clean_up', past, past, 'restore-drill-past', '{}', true, past, 60, past
     from (select now() - interval '7 days' as past) as week`,
  );
  await stores.sql(
    `insert into telemetry_gauges values ('backup_coverage_since_timestamp_seconds',
       extract(epoch from now() - interval '90 days'), now())`,
  );
}

/** A context of a minute from now on. */
export function inMinutes(minutes: number): Context {
  return { ...aContext(), now: new Date(Date.now() + minutes * 60_000) };
}
