import stringWidth from "string-width";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import livez from "../../../api/livez.js";
import deployments from "../../../api/ops/deployments/index.js";
import check from "../../../api/ops/deployments/rollback-check.js";
import health from "../../../api/ops/health.js";
import incident from "../../../api/ops/incidents/[incidentId]/index.js";
import incidents from "../../../api/ops/incidents/index.js";
import { migrationHead } from "../../../lib/db/migration-head.js";
import { recordVercelEvent } from "../../../lib/deployments/vercel-event.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { anOperator } from "../../support/operators.js";
import { opsInProcess } from "../../support/ops-command.js";
import { useServedFunctions } from "../../support/served-functions.js";
import { useStores } from "../../support/stores.js";
import { projectId, vercelEvent } from "../../support/vercel-events.js";

const stores = useStores();
const served = useServedFunctions();
/** Long enough for production. */
const breakGlassToken = "break-glass-token-of-32-bytes-or-more";
const environment = {
  OPS_TOKEN: breakGlassToken,
  RATE_LIMIT_MAX_REQUESTS: "100000",
  VERCEL_PROJECT_ID: projectId,
};
useEnvironment(environment);
beforeEach(() => stores.sql("truncate deployments, deployment_events, webhook_events"));

const production = {
  ...environment,
  NODE_ENV: "production",
  JWT_SECRET: "f0e1d2c3b4a5968778695a4b3c2d1e0f-a-secret",
  ALERT_WEBHOOK_URL: "https://hooks.example.com/one",
};
const sha = (letter: string) => letter.repeat(40);

/** A deployment to Vercel, and the first request to it. */
async function deploy(name: string, minutesAgo: number, variables: Record<string, string> = {}) {
  const at = Date.now() - minutesAgo * 60_000;
  const report = (type: string, offset: number) =>
    recordVercelEvent(
      aContext(),
      vercelEvent({
        type: `deployment.${type}`,
        deployment: `dpl_${name}`,
        sha: sha(name),
        createdAt: at + offset,
      }),
    );
  await report("created", 0);
  await report("promoted", 1000);
  await serve({
    VERCEL: "1",
    VERCEL_ENV: "production",
    VERCEL_DEPLOYMENT_ID: `dpl_${name}`,
    VERCEL_GIT_COMMIT_SHA: sha(name),
    ...variables,
  });
}
async function serve(variables: Record<string, string>) {
  setEnvironment({ ...production, ...variables });
  await call(livez, "GET", { url: "https://api.example.com/api/livez" });
  // The served functions have their own waitUntil, which nothing else can wait for.
  await vi.waitFor(async () => {
    const served = await stores.sql(
      "select from deployments where sha = $1 and last_served_at is not null",
      sha(String(variables.VERCEL_GIT_COMMIT_SHA ?? variables.GIT_COMMIT_SHA).slice(0, 1)),
    );
    expect(served).toHaveLength(1);
  }, 20_000);
}
const get = (route: Parameters<typeof call>[0], query = "") =>
  call(route, "GET", {
    token: breakGlassToken,
    url: `https://api.example.com${route.template}${query}`,
  });
const ops = (...args: string[]) =>
  opsInProcess([...args, "--break-glass"], {
    env: { OPS_URL: served.url, OPS_TOKEN: breakGlassToken, HOME: "/nonexistent" },
  });
const lineOf = async (name: string, query = "") => {
  const { body } = await get(check, query);
  return body.findings.find((each: { name: string }) => each.name === name);
};

describe("ops deployments", () => {
  it("lists the newest first, in 80 columns, and the whole answer with --json", async () => {
    await deploy("a", 60);
    await deploy("b", 30);
    const { status, out } = await ops("deployments");
    expect(status).toBe(0);
    expect(out).toMatch(/^live +1\.0\.0 \(b{12}\)[\s\S]*^replaced +1\.0\.0 \(a{12}\)/m);
    expect(out).toContain("by usr_ada  reason Change dpl_b");
    expect(Math.max(...out.split("\n").map((line) => stringWidth(line)))).toBeLessThanOrEqual(80);
    const json = JSON.parse((await ops("deployments", "--json")).out);
    expect(json).toEqual((await get(deployments)).body);
    expect(json.items).toMatchObject([{ id: "dpl_b", state: "live" }, { id: "dpl_a" }]);
  });

  it("says that nothing is recorded", async () => {
    expect((await ops("deployments")).out).toBe("No deployment is recorded.\n");
  });
});

describe("ops rollback", () => {
  it("does nothing without --check", async () => {
    const { status, error } = await ops("rollback");
    expect(status).toBe(2);
    expect(error).toContain("--check is required");
  });

  it("passes for the release before with the commands of Vercel, and prints none with a fail", async () => {
    await deploy("a", 60);
    await deploy("b", 30);
    const { status, out } = await ops("rollback", "--check");
    expect(out).toMatch(/^pass\nfrom 1\.0\.0 \(b{12}\)\nto {3}1\.0\.0 \(a{12}\)$/m);
    expect(out).toContain("Roll back with:\n  vercel rollback dpl_a.vercel.app");
    expect(out).toContain("Undo with:\n  vercel promote dpl_b.vercel.app");
    expect(status).toBe(0);
    const refused = await ops("rollback", "--check", "dpl_b");
    expect([refused.status, refused.out.split("\n")[0]]).toEqual([1, "fail"]);
    expect(refused.out).not.toContain("Roll back with:");
  });

  it("takes an ID or the start of a SHA, and names the list for another", async () => {
    for (const [at, name] of ["a", "b", "c"].entries()) await deploy(name, 60 - at * 10);
    for (const wanted of ["dpl_a", "aaaaaaa", sha("a").toUpperCase()]) {
      expect((await get(check, `?to=${wanted}`)).body.to.id).toBe("dpl_a");
    }
    for (const wanted of ["dpl_x", "aaaaaa", "%"]) {
      expect((await get(check, `?to=${encodeURIComponent(wanted)}`)).status).toBe(404);
    }
    const { status, error } = await ops("rollback", "dpl_x", "--check");
    expect(status).toBe(1);
    expect(error).toContain("npm run ops -- deployments");
  });

  it("fails when nothing is recorded, with status 1", async () => {
    const { status, out } = await ops("rollback", "--check");
    expect([status, out.split("\n")[0]]).toEqual([1, "fail"]);
  });

  it.each([
    ["the live one", "?to=dpl_c", "fail", "is live already"],
    ["a failed one", "?to=dpl_f", "fail", "failed"],
    ["one that never was live", "?to=dpl_r", "fail", "never been live"],
    ["one that was rolled back", "?to=dpl_b", "warn", "itself rolled back"],
  ])("judges %s", async (_, query, status, detail) => {
    const report = (type: string, name: string, minutesAgo: number, more = {}) =>
      recordVercelEvent(
        aContext(),
        vercelEvent({
          type: `deployment.${type}`,
          deployment: name,
          createdAt: Date.now() - minutesAgo * 60_000,
          ...more,
        }),
      );
    await deploy("a", 60);
    await deploy("b", 50);
    await report("rollback", "", 40, { from: "dpl_b", to: "dpl_a" });
    await deploy("c", 30);
    await report("error", "dpl_f", 20);
    await report("created", "dpl_r", 10);
    expect(await lineOf("release", query)).toMatchObject({
      status,
      detail: expect.stringContaining(detail),
    });
    expect((await get(check)).body.to.id).toBe("dpl_a");
  });

  it("fails for a release whose migration the database lacks", async () => {
    await deploy("a", 60);
    await deploy("b", 30);
    await stores.sql("update deployments set migration_head = '9999_future' where id = 'dpl_a'");
    expect(await lineOf("migrations")).toMatchObject({
      status: "fail",
      detail: expect.stringContaining("lacks 9999_future"),
    });
  });

  it("passes one live release back over one migration, warns over several or if unknown, and fails two", async () => {
    for (const [at, name] of ["a", "b", "c"].entries()) await deploy(name, 60 - at * 10);
    const headOfOlder = (back: string) =>
      stores.sql(
        `update deployments set migration_head = (select name from schema_migrations
           order by name collate "C" desc offset $1 limit 1) where id in ('dpl_a', 'dpl_b')`,
        back,
      );
    await headOfOlder("1");
    expect(await lineOf("migrations", "?to=dpl_b")).toMatchObject({
      status: "pass",
      detail: expect.stringContaining(migrationHead),
    });
    // Those of several releases, if some in between were never live here.
    await headOfOlder("2");
    expect(await lineOf("migrations", "?to=dpl_b")).toMatchObject({
      status: "warn",
      detail: expect.stringContaining("if they came with several releases"),
    });
    expect(await lineOf("migrations", "?to=dpl_a")).toMatchObject({
      status: "fail",
      detail: expect.stringContaining("in between"),
    });
    await stores.sql("update deployments set migration_head = null where id = 'dpl_a'");
    expect(await lineOf("migrations", "?to=dpl_a")).toMatchObject({ status: "warn" });
  });

  it.each<[string, Record<string, string>, string, string]>([
    ["no change", {}, "pass", "no variable changed"],
    [
      "a setting",
      { ALERT_WEBHOOK_URL: "https://hooks.example.com/two" },
      "warn",
      "changed ALERT_WEBHOOK_URL",
    ],
    ["a new one", { HEARTBEAT_URL: "https://beat.example.com" }, "warn", "new HEARTBEAT_URL"],
    ["a removed one", { ALERT_WEBHOOK_URL: "" }, "warn", "removed ALERT_WEBHOOK_URL"],
    [
      "the database",
      { DATABASE_URL: "postgresql://u:other-password@db.example.com/x" },
      "fail",
      "DATABASE_URL",
    ],
    [
      "a rotated secret",
      {
        JWT_SECRET: "another-0e1d2c3b4a5968778695a4b3c2d1e0f-secret",
        JWT_SECRET_PREVIOUS: "f0e1d2c3b4a5968778695a4b3c2d1e0f-a-secret",
      },
      "fail",
      "changed JWT_SECRET",
    ],
    [
      "a secret without the old one",
      { JWT_SECRET: "another-0e1d2c3b4a5968778695a4b3c2d1e0f-secret" },
      "fail",
      "hashed under another data key ALERT_WEBHOOK_URL",
    ],
  ])("compares the variables after a change of %s", async (_, changes, status, detail) => {
    await deploy("a", 60);
    await deploy("b", 30, changes);
    const found = await lineOf("environment");
    expect(found).toMatchObject({ status, detail: expect.stringContaining(detail) });
    const stored = JSON.stringify(await stores.sql("select environment from deployments"));
    for (const value of Object.values(changes).filter(Boolean)) {
      expect(found.detail + stored).not.toContain(value);
    }
  });

  it("warns of cron jobs that differ", async () => {
    await deploy("a", 60);
    await deploy("b", 30);
    await stores.sql(
      `update deployments set crons = '{"/api/cron/tick": "* * * * *", "/api/cron/old": "0 * * * *"}'
        where id = 'dpl_a'`,
    );
    const { status, detail } = await lineOf("crons");
    expect(status).toBe("warn");
    expect(detail).toContain("/api/cron/cleanup 7 * * * * becomes none");
    expect(detail).toContain("/api/cron/old none becomes 0 * * * *");
    const { status: exit, out } = await ops("rollback", "--check");
    expect(exit).toBe(1);
    expect(Math.max(...out.split("\n").map((line) => stringWidth(line)))).toBeLessThanOrEqual(80);
  });

  it.each<[string, Record<string, string>, string[]]>([
    [
      "Docker",
      {},
      [
        `docker pull "\${REGISTRY:-docker.io}/linguamate/backend:sha-${"a".repeat(12)}"`,
        `TAG=sha-${"a".repeat(12)} docker-compose up -d`,
        "# Without containers, then start the server again:",
        `#   git checkout ${"a".repeat(12)} && npm ci && npm run backend:build`,
      ],
    ],
    [
      "Railway",
      { RAILWAY_ENVIRONMENT_NAME: "production" },
      [expect.stringMatching(/^railway rollback {2}# or the dashboard: .* a{12}, Rollback$/)],
    ],
  ])("prints the commands of %s", async (_, variables, commands) => {
    for (const name of ["a", "b"]) {
      await serve({ GIT_COMMIT_SHA: sha(name), ...variables });
      await stores.sql(
        "update deployments set last_served_at = last_served_at - interval '1 hour'",
      );
    }
    const { body } = await get(check);
    expect(body.commands).toEqual(commands);
    expect(body.status).toBe("pass");
  });
});

describe("ops status", () => {
  const release = async () => {
    const { body } = await get(health);
    return body.findings.find(({ name }: { name: string }) => name === "release");
  };

  it("shows the live release and since when, and warns while another one answers", async () => {
    expect(await release()).toMatchObject({
      status: "pass",
      detail: expect.stringContaining("no deployment is recorded"),
    });
    await deploy("a", 60);
    expect(await release()).toMatchObject({
      status: "pass",
      detail: expect.stringMatching(/^1\.0\.0 \(a{12}\) on vercel is live since \d{4}-/),
    });
    await serve({
      GIT_COMMIT_SHA: sha("b"),
      VERCEL: "1",
      VERCEL_ENV: "production",
      VERCEL_DEPLOYMENT_ID: "dpl_b",
    });
    await stores.sql("delete from deployment_events where deployment_id = 'dpl_b'");
    expect(await release()).toMatchObject({
      status: "warn",
      detail: expect.stringContaining(`this process is ${"b".repeat(12)}`),
    });
  });
});

describe("an incident", () => {
  let id = "";
  beforeAll(async () => {
    setEnvironment(environment);
    id = "0198a1b2-c3d4-4e5f-8a9b-0c1d2e3f4a5b";
    await stores.sql(
      `insert into incidents (id, title, severity, opened_at, opened_by, closed_at) values
        ($1, 'Slow', 'P2', now() - interval '45 minutes', 'x', now() - interval '5 minutes')`,
      id,
    );
  });

  it("has the live release, deployments and rollbacks in its timeline and post-mortem", async () => {
    await deploy("a", 60);
    await deploy("b", 30);
    const send = (type: string, minutesAgo: number, more: object) =>
      recordVercelEvent(
        aContext(),
        vercelEvent({
          type: `deployment.${type}`,
          createdAt: Date.now() - minutesAgo * 60_000,
          ...more,
        }),
      );
    await send("rollback", 20, { from: "dpl_b", to: "dpl_a", user: "usr_bob" });
    await send("error", 10, { deployment: "dpl_f" });
    await deploy("c", 2);
    const { token } = await anOperator(stores);
    const { body } = await call(incident, "GET", {
      token,
      url: `https://api.example.com${incidents.template}/${id}`,
    });
    const entries = body.timeline.filter(({ kind }: { kind: string }) => kind === "deployment");
    expect(entries).toMatchObject([
      {
        at: body.incident.openedAt,
        what: expect.stringMatching(/^Release 1\.0\.0 \(a+\) is live \(since /),
      },
      { who: "usr_ada", what: `Release 1.0.0 (${"b".repeat(12)}) is live: Change dpl_b` },
      {
        who: "usr_bob",
        what: `Release 1.0.0 (${"a".repeat(12)}) is live, Release 1.0.0 (${"b".repeat(12)}) was rolled back: Change dpl_a`,
      },
      { what: expect.stringContaining("failed") },
    ]);
    expect(body.postMortem).toContain("was rolled back");
  });
});

// Last: this process is then known as another release.
describe("ops rollback from a release that is not recorded as live", () => {
  it("warns while another release answers than the one recorded as live", async () => {
    await deploy("a", 60);
    await deploy("b", 30);
    setEnvironment({ ...production, GIT_COMMIT_SHA: sha("a") });
    const { body } = await get(check);
    expect(body).toMatchObject({ status: "warn", from: { id: "dpl_b" } });
    expect(body.findings).toContainEqual({
      name: "running",
      status: "warn",
      detail: expect.stringMatching(/b{12}\) is recorded as live, but this process is a{12}:/),
    });
  });
});
