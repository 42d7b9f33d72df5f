import { beforeEach, describe, expect, it, vi } from "vitest";
import tick from "../../../api/cron/tick.js";
import livez from "../../../api/livez.js";
import { readDeploymentLog } from "../../../lib/deployments/deployment-log.js";
import { claimObservation, retryObservation } from "../../../lib/deployments/observation-claim.js";
import { observeRelease } from "../../../lib/deployments/observe-release.js";
import { recordVercelEvent } from "../../../lib/deployments/vercel-event.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { nextSlot } from "../../support/slots.js";
import { useStores } from "../../support/stores.js";
import { projectId, vercelEvent } from "../../support/vercel-events.js";

const stores = useStores();
const lines = useLogLines();
useEnvironment();
beforeEach(() => stores.sql("truncate deployments, deployment_events"));

const [oldSha, newSha] = ["a".repeat(40), "b".repeat(40)];
const cronSecret = "the-clock-secret-of-the-tests";
/** The environment of a new process, which has served nothing yet. */
const startProcess = (sha: string, more: Record<string, string> = {}) =>
  setEnvironment({
    NODE_ENV: "production",
    JWT_SECRET: "f0e1d2c3b4a5968778695a4b3c2d1e0f-a-secret",
    CRON_SECRET: cronSecret,
    GIT_COMMIT_SHA: sha,
    LOG_LEVEL: "info",
    ...more,
  });
const request = async (headers: Record<string, string> = {}, url?: string) => {
  const answer = await call(livez, "GET", { headers, ...(url === undefined ? {} : { url }) });
  await stores.settled();
  return answer;
};
const logged = async () => (await readDeploymentLog(aContext())).deployments;
const states = async () =>
  Object.fromEntries((await logged()).map(({ sha, state }) => [sha?.slice(0, 1), state]));
const later = (minutes: number) =>
  stores.sql(
    `with moved as (update deployments set first_served_at = first_served_at - make_interval(mins => $1),
       last_served_at = last_served_at - make_interval(mins => $1))
     update deployment_events set at = at - make_interval(mins => $1)`,
    String(minutes),
  );

describe("the first request that a process serves", () => {
  it("records the release as live, with its migrations, variables and crons", async () => {
    startProcess(oldSha, { METRICS_TOKEN: "a-metrics-token-of-32-bytes-or-more" });
    await request();
    const [row] = await stores.sql("select * from deployments");
    expect(row).toMatchObject({ id: `self-hosted:${oldSha}`, sha: oldSha, version: "1.0.0" });
    expect(row?.migration_head).toMatch(/^\d{4}_/);
    expect(JSON.parse(row?.crons ?? "")).toMatchObject({ "/api/cron/tick": "* * * * *" });
    const environment = JSON.parse(row?.environment ?? "");
    expect(Object.keys(environment)).toEqual(
      expect.arrayContaining(["JWT_SECRET", "METRICS_TOKEN"]),
    );
    expect(Object.keys(environment)).not.toContain("GIT_COMMIT_SHA");
    expect(JSON.stringify(row)).not.toMatch(/a-metrics-token|f0e1d2c3/);
    expect(await states()).toEqual({ a: "live" });
  });

  it("is one Postgres call, and no call for the requests after it", async () => {
    startProcess(oldSha);
    await stores.resetCalls();
    await request();
    expect(stores.calls().postgresCalls).toBe(1);
    await stores.resetCalls();
    for (let times = 0; times < 5; times += 1) await request();
    expect(stores.calls().postgresCalls).toBe(0);
  });

  it("records only the commit of the process, whatever the request says", async () => {
    startProcess(oldSha);
    for (const sha of ["x", "y", "z"]) {
      await request(
        { "x-release": sha, "x-vercel-deployment-url": sha, "git-commit-sha": sha },
        `http://localhost:8080/api/livez?sha=${sha}`,
      );
    }
    expect((await logged()).map(({ sha }) => sha)).toEqual([oldSha]);
  });

  it.each<[string, Record<string, string>]>([
    ["from source", { GIT_COMMIT_SHA: "" }],
    ["in development", { NODE_ENV: "development" }],
    ["in a preview", { VERCEL: "1", VERCEL_ENV: "preview" }],
  ])("records nothing %s", async (_, variables) => {
    startProcess(oldSha, variables);
    await request();
    expect(await logged()).toEqual([]);
  });

  it("records Railway's commit", async () => {
    startProcess("", { RAILWAY_ENVIRONMENT_NAME: "production", RAILWAY_GIT_COMMIT_SHA: newSha });
    await request();
    expect(await logged()).toMatchObject([{ platform: "railway", sha: newSha, state: "live" }]);
  });

  it("is answered while Postgres is down, and the next requests do not try again at once", async () => {
    startProcess(oldSha);
    await stores.faults.postgres.set({ kind: "refuse" });
    expect((await request()).status).toBe(200);
    expect(lines.read("deployment_unrecorded")).toMatchObject([{ level: "WARN" }]);
    await stores.faults.postgres.set(null);
    await stores.resetCalls();
    await request();
    expect(stores.calls().postgresCalls).toBe(0);
    // The tick does not depend on it.
    await observeRelease(aContext());
    expect(await states()).toEqual({ a: "live" });
  });

  it("is recorded by the first request a minute after a failure", () => {
    startProcess(oldSha);
    const { env } = aContext();
    const clock = vi.spyOn(performance, "now").mockReturnValue(1000);
    expect([claimObservation(env, "x"), claimObservation(env, "x")]).toEqual([true, false]);
    retryObservation(env);
    clock.mockReturnValue(60_999);
    expect(claimObservation(env, "x")).toBe(false);
    clock.mockReturnValue(61_000);
    expect(claimObservation(env, "x")).toBe(true);
    clock.mockRestore();
  });

  it("shows every minute that a self-hosted process still serves; a deployment of Vercel says it once", () => {
    const clock = vi.spyOn(performance, "now");
    const claims = (variables: Record<string, string>) => {
      startProcess(oldSha, variables);
      const { env } = aContext();
      return [1000, 60_999, 61_000, 61_001, 121_000].map((ms) => {
        clock.mockReturnValue(ms);
        return claimObservation(env, "x");
      });
    };
    expect(claims({})).toEqual([true, false, true, false, true]);
    const vercel = { VERCEL: "1", VERCEL_ENV: "production", VERCEL_URL: "dpl_a.vercel.app" };
    expect(claims(vercel)).toEqual([true, false, false, false, false]);
    clock.mockRestore();
  });

  it("is recorded on Vercel in the row of the webhook, in either order", async () => {
    const variables = {
      VERCEL: "1",
      VERCEL_ENV: "production",
      VERCEL_DEPLOYMENT_ID: "dpl_a",
      VERCEL_URL: "dpl_a.vercel.app",
      VERCEL_PROJECT_ID: projectId,
    };
    startProcess(oldSha, variables);
    await request({}, "https://api.example.com/api/livez");
    const created = vercelEvent({
      type: "deployment.created",
      deployment: "dpl_a",
      sha: oldSha,
      createdAt: Date.now() - 60_000,
    });
    await recordVercelEvent(aContext(), created);
    expect(await logged()).toMatchObject([
      { id: "dpl_a", platform: "vercel", state: "live", version: "1.0.0", reason: "Change dpl_a" },
    ]);
  });

  it("does not count on Vercel under the deployment's own host name, which works also when another one is live", async () => {
    startProcess(oldSha, { VERCEL: "1", VERCEL_ENV: "production", VERCEL_URL: "dpl_a.vercel.app" });
    await request({}, "https://dpl_a.vercel.app/api/livez");
    expect(await logged()).toEqual([]);
    await request({}, "https://api.example.com/api/livez");
    expect(await logged()).toHaveLength(1);
  });
});

describe("a rolling deployment", () => {
  it("makes the new release live once, while processes of both start and run ticks", async () => {
    startProcess(oldSha);
    await request();
    await later(60);
    startProcess(newSha);
    await request();
    for (const sha of [oldSha, newSha, oldSha, newSha, oldSha]) {
      startProcess(sha);
      await request();
      await observeRelease(aContext());
      await later(1);
      expect(await states()).toEqual({ a: "replaced", b: "live" });
    }
    const events = await stores.sql("select from deployment_events where kind = 'live'");
    expect(events).toHaveLength(2);
  });

  it("is a rollback when the older release serves and the newer one is silent for ten minutes", async () => {
    for (const sha of [oldSha, newSha]) {
      startProcess(sha);
      await request();
      await later(5);
    }
    startProcess(oldSha);
    await request();
    expect(await states()).toEqual({ a: "replaced", b: "live" });
    await later(6);
    await observeRelease(aContext());
    expect(await states()).toEqual({ a: "live", b: "rolled_back" });
    // A process of the newer release that starts late changes nothing.
    startProcess(newSha);
    await request();
    expect(await states()).toEqual({ a: "live", b: "rolled_back" });
    await later(11);
    await observeRelease(aContext());
    expect(await states()).toEqual({ a: "replaced", b: "live" });
  });

  it("writes one event when many processes start at once", async () => {
    startProcess(newSha);
    await Promise.all(Array.from({ length: 8 }, () => observeRelease(aContext())));
    expect(await states()).toEqual({ b: "live" });
    expect((await readDeploymentLog(aContext())).switches).toHaveLength(1);
  });
});

describe("GET /api/cron/tick", () => {
  it("records that the release still serves", async () => {
    startProcess(oldSha);
    await request();
    await later(30);
    await nextSlot(stores);
    const { body } = await call(tick, "GET", { token: cronSecret });
    expect(body.parts.observe_release).toMatchObject({ outcome: "done" });
    const [deployment] = await logged();
    expect(Date.now() - Date.parse(deployment?.lastServedAt ?? "")).toBeLessThan(20 * 60_000);
    expect(Date.now() - Date.parse(deployment?.liveAt ?? "")).toBeGreaterThan(20 * 60_000);
  });
});
