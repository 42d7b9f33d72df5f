import { afterAll, beforeEach, describe, expect, it } from "vitest";
import cleanup from "../../../api/cron/cleanup.js";
import { startVercelEndpoint, type VercelDeployment } from "../../../dev/vercel/vercel-endpoint.js";
import { readDeploymentLog } from "../../../lib/deployments/deployment-log.js";
import { reconcileDeployments } from "../../../lib/deployments/reconcile.js";
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
const vercel = await startVercelEndpoint();
afterAll(() => vercel.close());
const cronSecret = "the-clock-secret-of-the-tests";
const environment = {
  CRON_SECRET: cronSecret,
  VERCEL_API_URL: vercel.url,
  VERCEL_TOKEN: vercel.token,
  VERCEL_PROJECT_ID: projectId,
  VERCEL_TEAM_ID: vercel.teamId,
};
useEnvironment(environment);
beforeEach(async () => {
  vercel.deployments.length = 0;
  vercel.requests.length = 0;
  vercel.fail(null);
  await stores.sql("truncate deployments, deployment_events, webhook_events");
});

const hourMs = 3_600_000;
const now = Date.now();
const hoursAgo = (hours: number) => now - hours * hourMs;

function deploy(uid: string, hours: number, more: Partial<VercelDeployment> = {}) {
  const created = hoursAgo(hours);
  vercel.deployments.push({
    uid,
    name: "linguamate",
    url: `${uid}.vercel.app`,
    created,
    target: "production",
    state: "READY",
    readySubstate: "PROMOTED",
    buildingAt: created + 1000,
    ready: created + 60_000,
    aliasAssigned: created + 61_000,
    creator: { uid: "usr_ada" },
    meta: { githubCommitSha: `sha-of-${uid}`, githubCommitMessage: `Change ${uid}` },
    ...more,
  });
  if (more.state === undefined) vercel.pointTo(uid, "promote", created + 61_000);
}
const report = (input: Parameters<typeof vercelEvent>[0]) =>
  recordVercelEvent(aContext(), vercelEvent(input));
const logged = async () => (await readDeploymentLog(aContext())).deployments;
const states = async () => Object.fromEntries((await logged()).map(({ id, state }) => [id, state]));

describe("the hourly reconcile", () => {
  it("finds every deployment that no webhook reported", async () => {
    deploy("dpl_a", 5);
    deploy("dpl_failed", 4, {
      state: "ERROR",
      readySubstate: undefined,
      aliasAssigned: undefined,
    } as never);
    deploy("dpl_b", 3);
    deploy("dpl_preview", 2, { target: null, state: "READY" });
    expect(await reconcileDeployments(aContext())).toMatchObject({ listed: 3 });
    expect(await logged()).toMatchObject([
      { id: "dpl_b", state: "live", actor: "usr_ada", reason: "Change dpl_b", sha: "sha-of-dpl_b" },
      { id: "dpl_failed", state: "failed" },
      { id: "dpl_a", state: "replaced", requestedAt: new Date(hoursAgo(5)).toISOString() },
    ]);
    expect(await reconcileDeployments(aContext())).toEqual({
      listed: 3,
      added: 0,
      switched: false,
    });
  });

  it("adds nothing to what the webhook reported", async () => {
    deploy("dpl_a", 5);
    for (const [type, at] of [
      ["created", 10],
      ["succeeded", 60_010],
      ["promoted", 61_010],
    ] as const) {
      await report({
        type: `deployment.${type}`,
        deployment: "dpl_a",
        createdAt: hoursAgo(5) + at,
      });
    }
    expect(await reconcileDeployments(aContext())).toEqual({
      listed: 1,
      added: 0,
      switched: false,
    });
  });

  it("finds a lost promotion event", async () => {
    deploy("dpl_a", 5);
    deploy("dpl_b", 3);
    await report({ type: "deployment.created", deployment: "dpl_a", createdAt: hoursAgo(5) });
    await report({ type: "deployment.promoted", deployment: "dpl_a", createdAt: hoursAgo(4.9) });
    await report({ type: "deployment.created", deployment: "dpl_b", createdAt: hoursAgo(3) });
    expect(await states()).toMatchObject({ dpl_a: "live", dpl_b: "requested" });
    await reconcileDeployments(aContext());
    expect(await states()).toEqual({ dpl_a: "replaced", dpl_b: "live" });
  });

  it("finds a lost rollback, once, and a lost promotion after it", async () => {
    deploy("dpl_a", 5);
    deploy("dpl_b", 3);
    await reconcileDeployments(aContext());
    vercel.pointTo("dpl_a", "rollback", hoursAgo(2));
    expect(await reconcileDeployments(aContext())).toMatchObject({ switched: true });
    expect(await states()).toEqual({ dpl_a: "live", dpl_b: "rolled_back" });
    expect((await logged())[0]).toMatchObject({ endedAt: new Date(hoursAgo(2)).toISOString() });
    // The webhook arrives late, with a slightly different time.
    await report({
      type: "deployment.rollback",
      from: "dpl_b",
      to: "dpl_a",
      createdAt: hoursAgo(2) + 900,
    });
    expect(await reconcileDeployments(aContext())).toMatchObject({ added: 0, switched: false });
    expect((await readDeploymentLog(aContext())).switches).toHaveLength(3);
    vercel.pointTo("dpl_b", "promote", hoursAgo(1));
    await reconcileDeployments(aContext());
    expect(await states()).toEqual({ dpl_a: "replaced", dpl_b: "live" });
  });

  it("reads all pages, with the token, the team and the project", async () => {
    for (let at = 0; at < 230; at += 1) deploy(`dpl_${at}`, 200 - at / 2);
    expect(await reconcileDeployments(aContext())).toMatchObject({ listed: 230 });
    const pages = vercel.requests.filter((path) => path.startsWith("/v6/deployments"));
    expect(pages).toHaveLength(3);
    expect(
      pages.every(
        (path) => path.includes(`projectId=${projectId}&`) && path.includes("teamId=team_own"),
      ),
    ).toBe(true);
    expect(await stores.sql("select from deployments")).toHaveLength(230);
  });

  it("fails rather than leave deployments out", async () => {
    for (let at = 0; at < 2100; at += 1) deploy(`dpl_${at}`, 300 - at / 10);
    await expect(reconcileDeployments(aContext())).rejects.toThrow("too many deployments");
  });

  it.each(["VERCEL_TOKEN", "VERCEL_PROJECT_ID"])(
    "says that it is skipped without %s, and does not fail",
    async (name) => {
      setEnvironment({ ...environment, [name]: "" });
      await nextSlot(stores);
      const { status, body } = await call(cleanup, "GET", { token: cronSecret });
      expect(status).toBe(200);
      expect(body.parts.reconcile_deployments).toMatchObject({
        outcome: "done",
        detail: { skipped: `${name} is not set` },
      });
      expect(vercel.requests).toEqual([]);
    },
  );

  it.each([
    { kind: "status", status: 429, retryAfterSeconds: 0 },
    { kind: "status", status: 503, retryAfterSeconds: 0 },
    { kind: "reset" },
    { kind: "half-body" },
  ] as const)("tries again after %o", async (fault) => {
    deploy("dpl_a", 5);
    vercel.fail({ ...fault, times: 1 });
    const ctx = aContext();
    expect(await reconcileDeployments(ctx)).toMatchObject({ listed: 1 });
    expect(ctx.requestMetrics.externalCalls.map(({ operation }) => operation)).toEqual([
      "list_deployments",
      "list_deployments",
      "get_project",
    ]);
    expect(ctx.requestMetrics.externalCalls.at(-1)).toMatchObject({
      service: "vercel",
      outcome: "ok",
    });
  });

  it.each([
    [
      "a refused token",
      { ...environment, VERCEL_TOKEN: "another-token-of-vercel" },
      null,
      "status_403",
      1,
    ],
    ["another team", { ...environment, VERCEL_TEAM_ID: "team_other" }, null, "status_404", 2],
    [
      "an outage",
      environment,
      { kind: "status", status: 500, retryAfterSeconds: 0 },
      "status_500",
      3,
    ],
    ["a changed API", environment, { kind: "wrong-schema" }, "invalid_reply", 1],
    ["a reply that is not JSON", environment, { kind: "invalid-json" }, "invalid_reply", 1],
  ] as const)(
    "fails for %s, without the token in the log",
    async (_, variables, fault, outcome, calls) => {
      setEnvironment({ ...variables, LOG_LEVEL: "info" });
      vercel.fail(fault);
      await nextSlot(stores);
      const { status } = await call(cleanup, "GET", { token: cronSecret });
      expect(status).toBe(500);
      expect(lines.written().join()).toContain(outcome);
      expect(lines.written().join()).not.toContain(variables.VERCEL_TOKEN);
      expect(vercel.requests).toHaveLength(calls);
      expect(await logged()).toEqual([]);
    },
  );
});
