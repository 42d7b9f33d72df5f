import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import vercelWebhook from "../../../api/webhooks/vercel.js";
import { readDeploymentLog } from "../../../lib/deployments/deployment-log.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { useStores } from "../../support/stores.js";
import {
  projectId,
  signedByVercel,
  type VercelEventInput,
  vercelEvent,
  vercelSecret,
} from "../../support/vercel-events.js";

const stores = useStores();
const lines = useLogLines();
const environment = {
  VERCEL_WEBHOOK_SECRET: vercelSecret,
  VERCEL_PROJECT_ID: projectId,
  LOG_LEVEL: "info",
};
useEnvironment(environment);
beforeEach(() => stores.sql("truncate deployments, deployment_events, webhook_events"));

const start = Date.parse("2026-11-01T10:00:00.000Z");
const minute = (count: number) => start + count * 60_000;
const isoMinute = (count: number) => new Date(minute(count)).toISOString();

const send = (event: unknown) => call(vercelWebhook, "POST", signedByVercel(event));
const deliver = (input: VercelEventInput) => send(vercelEvent(input));
const event = (
  type: string,
  deployment: string,
  at: number,
  more: Partial<VercelEventInput> = {},
) => vercelEvent({ type: `deployment.${type}`, deployment, createdAt: minute(at), ...more });
const rollback = (from: string, to: string, at: number) =>
  vercelEvent({ type: "deployment.rollback", from, to, createdAt: minute(at), user: "usr_bob" });

const logged = async () => (await readDeploymentLog(aContext())).deployments;
const states = async () => Object.fromEntries((await logged()).map(({ id, state }) => [id, state]));
/** Everything that is stored, in a fixed order. */
const stored = async () => ({
  deployments: await stores.sql("select to_jsonb(d) as row from deployments d order by id"),
  events: await stores.sql(
    "select to_jsonb(e) as row from deployment_events e order by deployment_id, kind, at",
  ),
});

describe("POST /api/webhooks/vercel", () => {
  it("records a deployment from its request until another one replaces it", async () => {
    const message = "Fix the login\n\nCo-authored-by: x";
    await send(event("created", "dpl_a", 0, { message }));
    expect(await states()).toEqual({ dpl_a: "requested" });
    await send(event("succeeded", "dpl_a", 2, { message }));
    expect(await states()).toEqual({ dpl_a: "ready" });
    const { status, body } = await send(event("promoted", "dpl_a", 3, { message }));
    expect([status, body]).toEqual([204, undefined]);
    expect(await logged()).toMatchObject([
      {
        id: "dpl_a",
        platform: "vercel",
        state: "live",
        sha: "sha-of-dpl_a",
        url: "dpl_a.vercel.app",
        requestedAt: isoMinute(0),
        readyAt: isoMinute(2),
        liveAt: isoMinute(3),
        endedAt: null,
        actor: "usr_ada",
        reason: "Fix the login",
      },
    ]);
    await send(event("created", "dpl_b", 10));
    await send(event("promoted", "dpl_b", 12));
    expect(await states()).toEqual({ dpl_a: "replaced", dpl_b: "live" });
  });

  it("recognises a rollback, its actor, and that it was undone", async () => {
    for (const [at, name] of ["dpl_a", "dpl_b"].entries()) {
      await send(event("created", name, at * 10));
      await send(event("promoted", name, at * 10 + 1));
    }
    await send(rollback("dpl_b", "dpl_a", 20));
    expect(await logged()).toMatchObject([
      { id: "dpl_b", state: "rolled_back", endedAt: isoMinute(20), rolledBackBy: "usr_bob" },
      { id: "dpl_a", state: "live", liveAt: isoMinute(20), endedAt: null },
    ]);
    await send(event("promoted", "dpl_b", 30));
    expect(await states()).toEqual({ dpl_a: "replaced", dpl_b: "live" });
  });

  it("recognises a promotion of an older deployment as a rollback", async () => {
    await send(event("created", "dpl_a", 0));
    await send(event("promoted", "dpl_a", 1));
    await send(event("created", "dpl_b", 2));
    await send(event("promoted", "dpl_b", 3));
    await send(event("promoted", "dpl_a", 4));
    expect(await states()).toEqual({ dpl_a: "live", dpl_b: "rolled_back" });
  });

  it("records builds that failed or were cancelled", async () => {
    await send(event("error", "dpl_f", 1));
    await send(event("canceled", "dpl_c", 2));
    expect(await states()).toEqual({ dpl_f: "failed", dpl_c: "cancelled" });
  });

  it("stores the first line of the message without addresses, and no name", async () => {
    const message = `Blame ada@example.com ${"x".repeat(400)}`;
    await send(event("created", "dpl_a", 0, { message }));
    const text = JSON.stringify(await stored());
    expect(text).not.toMatch(/ada@|Lovelace/);
    expect((await logged())[0]?.reason).toHaveLength(200);
  });

  it.each<[string, unknown]>([
    ["another type", event("check-rerequested", "dpl_a", 0)],
    ["another project", event("created", "dpl_a", 0, { project: "prj_other" })],
    ["a preview", event("created", "dpl_a", 0, { target: null })],
    ["another environment", event("promoted", "dpl_a", 0, { target: "staging" })],
    ["an event without a deployment", { ...event("created", "dpl_a", 0), payload: {} }],
    ["an invalid time", { ...event("created", "dpl_a", 0), createdAt: "soon" }],
    ["an array", []],
  ])("acknowledges and ignores %s", async (_, sent) => {
    expect((await send(sent)).status).toBe(204);
    expect(await stored()).toEqual({ deployments: [], events: [] });
  });

  it("ignores all events when the project is not configured", async () => {
    setEnvironment({ ...environment, VERCEL_PROJECT_ID: "" });
    expect((await send(event("created", "dpl_a", 0))).status).toBe(204);
    expect(await states()).toEqual({});
  });

  it("takes the time as a number and as text", async () => {
    await deliver({ type: "deployment.created", deployment: "dpl_a", createdAt: isoMinute(5) });
    expect((await logged())[0]?.requestedAt).toBe(isoMinute(5));
  });

  it("does not let a clock that is ahead keep a deployment live", async () => {
    await deliver({
      type: "deployment.promoted",
      deployment: "dpl_a",
      createdAt: Date.now() + 86_400_000,
    });
    expect(Date.parse((await logged())[0]?.liveAt ?? "")).toBeLessThanOrEqual(Date.now());
    await deliver({
      type: "deployment.promoted",
      deployment: "dpl_b",
      createdAt: Date.now() + 5000,
    });
    expect(await states()).toMatchObject({ dpl_b: "live" });
  });

  it.each<[string, { body: string; headers: Record<string, string> }]>([
    ["another secret", signedByVercel(event("created", "dpl_a", 0), "another-secret")],
    ["no signature", { ...signedByVercel(event("created", "dpl_a", 0)), headers: {} }],
    [
      "another body",
      {
        ...signedByVercel(event("created", "dpl_a", 0)),
        body: JSON.stringify(event("created", "dpl_b", 0)),
      },
    ],
    [
      "a prefix of the signature",
      {
        body: "{}",
        headers: {
          "x-vercel-signature": signedByVercel("{}").headers["x-vercel-signature"].slice(0, 20),
        },
      },
    ],
  ])("returns 401 and a security event for %s", async (_, delivery) => {
    const { status, code } = await call(vercelWebhook, "POST", delivery);
    expect([status, code]).toEqual([401, "webhook_signature_invalid"]);
    expect(lines.read("webhook_signature_invalid")).toHaveLength(1);
    expect(await states()).toEqual({});
  });

  it("returns 401 when no secret is set, also for a signature with an empty secret", async () => {
    setEnvironment({ ...environment, VERCEL_WEBHOOK_SECRET: "" });
    const { status } = await call(
      vercelWebhook,
      "POST",
      signedByVercel(event("created", "dpl_a", 0), ""),
    );
    expect(status).toBe(401);
  });

  it("returns 400 for a signed body that is not JSON", async () => {
    const { status, code } = await send("{");
    expect([status, code]).toEqual([400, "malformed_body"]);
  });

  it("returns 413 for an event of 1 MB", async () => {
    const large = { ...event("created", "dpl_a", 0), filler: "x".repeat(1024 * 1024) };
    expect((await send(large)).status).toBe(413);
    expect(await states()).toEqual({});
  });

  it("processes a delivery once, with one Postgres call and no Redis", async () => {
    const created = event("created", "dpl_a", 0);
    await stores.resetCalls();
    await send(created);
    expect(stores.calls()).toMatchObject({ postgresCalls: 1, redisTrips: 0 });
    const before = await stored();
    expect((await send(created)).status).toBe(204);
    // The same ID with another content is a replay too.
    expect((await send({ ...event("promoted", "dpl_z", 9), id: created.id })).status).toBe(204);
    expect(await stored()).toEqual(before);
  });

  it("processes deliveries with one ID at the same time once", async () => {
    const same = event("promoted", "dpl_a", 0);
    const answers = await Promise.all([send(same), send(same), send(same)]);
    expect(answers.map(({ status }) => status)).toEqual([204, 204, 204]);
    expect((await stored()).events).toHaveLength(1);
  });

  it("works while Redis is down", async () => {
    await stores.faults.redis.set({ kind: "refuse" });
    expect((await send(event("created", "dpl_a", 0))).status).toBe(204);
    expect(await states()).toEqual({ dpl_a: "requested" });
  });

  it("returns 503 while Postgres is down, so that Vercel sends it again, and then records it", async () => {
    const created = event("created", "dpl_a", 0);
    await stores.faults.postgres.set({ kind: "refuse" });
    const { status, code } = await send(created);
    expect([status, code]).toEqual([503, "service_unavailable"]);
    await stores.faults.postgres.set(null);
    expect((await send(created)).status).toBe(204);
    expect(await states()).toEqual({ dpl_a: "requested" });
  });

  it("has the same rows for any order of the events, with repetitions", async () => {
    const history = [
      event("created", "dpl_a", 0),
      event("succeeded", "dpl_a", 1),
      event("promoted", "dpl_a", 2),
      event("created", "dpl_b", 3),
      event("promoted", "dpl_b", 5),
      rollback("dpl_b", "dpl_a", 6),
      event("promoted", "dpl_b", 8),
      event("error", "dpl_c", 9),
    ];
    for (const each of history) await send(each);
    const [expected, log] = [await stored(), await logged()];
    expect(await states()).toEqual({ dpl_a: "replaced", dpl_b: "live", dpl_c: "failed" });
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(history, { minLength: history.length }),
        fc.array(fc.nat(history.length - 1), { maxLength: 4 }),
        async (order, again) => {
          await stores.sql("truncate deployments, deployment_events, webhook_events");
          for (const each of [...order, ...again.map((at) => order[at])]) await send(each);
          expect(await stored()).toEqual(expected);
          expect(await logged()).toEqual(log);
        },
      ),
      { numRuns: 40 },
    );
  }, 120_000);

  it("ignores a replay after the record of its delivery was pruned", async () => {
    const created = event("created", "dpl_a", 0, { id: `uev_${randomUUID()}` });
    await send(created);
    const before = await stored();
    await stores.sql("delete from webhook_events");
    await send(created);
    expect(await stored()).toEqual(before);
  });
});
