import { beforeEach, describe, expect, it } from "vitest";
import blocks from "../../../api/ops/blocks/index.js";
import drain from "../../../api/ops/drain.js";
import find from "../../../api/ops/find.js";
import jwtRotation from "../../../api/ops/jwt/rotation.js";
import operatorTokens from "../../../api/ops/operator-tokens/index.js";
import tokenRevocations from "../../../api/ops/operator-tokens/revocations.js";
import operators from "../../../api/ops/operators/index.js";
import removals from "../../../api/ops/operators/removals.js";
import resets from "../../../api/ops/rate-limits/resets.js";
import top from "../../../api/ops/rate-limits/top.js";
import revocations from "../../../api/ops/revocations.js";
import suspension from "../../../api/ops/users/suspension.js";
import { call } from "../../support/call.js";
import { useStillClock } from "../../support/clock.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { anOperator, breakGlassToken, demoteOperators, operate } from "../../support/operators.js";
import { anAddress, aUser } from "../../support/people.js";
import { freshToken } from "../../support/second-factor.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const logs = useLogLines();
const clock = useStillClock();
useEnvironment({
  OPS_TOKEN: breakGlassToken,
  // Nothing listens on this port: notifications stay in the outbox.
  PAGERDUTY_URL: "http://127.0.0.1:9",
  PAGERDUTY_ROUTING_KEY: "f".repeat(32),
});
beforeEach(() => demoteOperators(stores));

const everyScope = ["*:*"];

async function aToken(scopes: string[], ttlSeconds = 3600) {
  const admin = await anOperator(stores, "admin");
  const name = `ci-${Math.random().toString(36).slice(2)}`;
  const made = await operate(operatorTokens, "POST", admin.token, { name, scopes, ttlSeconds });
  expect(made.status).toBe(200);
  return { ...made.body.detail, name, admin } as {
    id: string;
    token: string;
    name: string;
    admin: typeof admin;
  };
}

describe("a user who calls the operators' API", () => {
  it("gets 401 without a token before any lookup", async () => {
    await stores.resetCalls();
    const answer = await call(top, "GET");
    expect(answer).toMatchObject({ status: 401, code: "token_missing" });
    expect(stores.calls()).toMatchObject({ postgresCalls: 0 });
  });

  it("gets 403 as a learner, with a security event", async () => {
    const { accessToken: token, user } = await aUser();
    const answer = await call(top, "GET", { token });
    expect(answer).toMatchObject({ status: 403, code: "forbidden" });
    const [event] = logs.read("privilege_escalation_attempt");
    expect(event.data).toMatchObject({ userId: user.id, route: "/api/ops/rate-limits/top" });
  });

  it("may read as an operator, and may change only with a recently used second factor", async () => {
    const { token, accessToken, ...operator } = await anOperator(stores);
    expect((await call(top, "GET", { token: accessToken })).status).toBe(200);
    const change = { of: "192.0.2.7" };
    // This token was issued before the factor was enrolled: it is recent, but has a password only.
    const byPassword = await operate(resets, "POST", accessToken, change);
    expect(byPassword).toMatchObject({ status: 403, code: "reauth_required" });
    expect((await operate(resets, "POST", token, change)).status).toBe(200);
    clock.advance(601);
    const late = await operate(resets, "POST", token, change);
    expect(late).toMatchObject({ status: 403, code: "reauth_required" });
    const fresh = await freshToken({ ...operator, accessToken: token }, operator.app.code());
    expect((await operate(resets, "POST", fresh, change)).status).toBe(200);
    expect(logs.read("admin_action").length).toBe(2);
    expect(logs.read("authz_denied")).toEqual([]);
  });

  it("may revoke an admin's sessions as an operator, to contain a theft", async () => {
    const [operator, admin] = [await anOperator(stores), await anOperator(stores, "admin")];
    const body = { user: admin.user.id };
    expect((await operate(revocations, "POST", operator.token, body)).status).toBe(200);
    expect((await call(top, "GET", { token: admin.token })).code).toBe("session_revoked");
  });

  it("must give a reason", async () => {
    const { token } = await anOperator(stores);
    const answer = await call(resets, "POST", { token, body: { of: "192.0.2.7" } });
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
    expect(answer.body.errors[0].pointer).toBe("/reason");
  });
});

describe("an operator token for machines", () => {
  it("allows what its scopes allow and nothing else", async () => {
    const { token, id } = await aToken(["ratelimit:*", "jwt:read"]);
    expect((await operate(resets, "POST", token, { of: "192.0.2.7" })).status).toBe(200);
    expect((await call(top, "GET", { token })).status).toBe(200);
    expect((await call(jwtRotation, "GET", { token })).status).toBe(200);
    const beyond = await operate(revocations, "POST", token, { everybody: true });
    expect(beyond).toMatchObject({ status: 403, code: "forbidden" });
    expect(logs.read("operator_token_used").at(-1).data).toMatchObject({
      account: id,
      operation: "revoke:change",
    });
    expect(logs.read("authz_denied").length).toBe(1);
  });

  it("cannot manage operators with any scopes", async () => {
    const { token } = await aToken([...everyScope, "operator:*"]);
    const { user } = await aUser();
    const granting = await operate(operators, "POST", token, { user: user.id, role: "admin" });
    expect(granting).toMatchObject({ status: 403, code: "forbidden" });
    expect((await call(operatorTokens, "GET", { token })).code).toBe("forbidden");
    expect((await call(find, "POST", { token, body: { q: user.id } })).status).toBe(200);
  });

  it("is refused with a wrong secret, logged, and counted per IP address", async () => {
    const { token, id } = await aToken(everyScope);
    const wrong = `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`;
    const ip = anAddress();
    for (let attempt = 0; attempt < 100; attempt++) {
      const answer = await call(top, "GET", { token: wrong, ip });
      expect(answer).toMatchObject({ status: 401, code: "token_invalid" });
    }
    expect((await call(top, "GET", { token: wrong, ip })).code).toBe("rate_limited");
    // The ID is in records, so wrong secrets must not lock out the owner of the token.
    expect((await call(top, "GET", { token, ip: anAddress() })).status).toBe(200);
    expect(logs.read("operator_token_invalid")[0].data).toMatchObject({ account: id });
    expect(logs.written().join("")).not.toContain(token.slice(-20));
  });

  it("counts no failed attempt when it is valid, and one request in its own window", async () => {
    const { token, id } = await aToken(everyScope);
    const ip = anAddress();
    expect((await call(top, "GET", { token, ip })).status).toBe(200);
    await stores.settled();
    const counted = async (pattern: string) => {
      const keys = (await stores.redis("KEYS", pattern)) as string[];
      return Promise.all(keys.map(async (key) => Number(await stores.redis("GET", key))));
    };
    expect((await counted(`rate:auth-failures:ip:${ip}:*`)).filter((used) => used > 0)).toEqual([]);
    expect(await counted(`rate:default:session:ops-${id}:*`)).toEqual([1]);
    const [row] = await stores.sql(
      "select last_used_at from operator_tokens where id = $1",
      token.slice(4, 20),
    );
    expect(row?.last_used_at).not.toBeNull();
  });

  it("is refused after it has expired or was revoked", async () => {
    const expiring = await aToken(everyScope, 60);
    clock.advance(61);
    const late = await call(top, "GET", { token: expiring.token });
    expect(late).toMatchObject({ status: 401, code: "operator_token_ended" });
    expect(logs.read("operator_token_invalid")).toEqual([]);

    const revoked = await aToken(everyScope);
    const answer = await operate(tokenRevocations, "POST", revoked.admin.token, {
      token: revoked.name,
    });
    expect(answer.status).toBe(200);
    expect((await call(top, "GET", { token: revoked.token })).code).toBe("operator_token_ended");
    const [event] = logs.read("operator_token_invalid");
    expect(event.data).toMatchObject({ account: revoked.id, reason: "revoked" });
  });

  it("is revoked by its ID, not the token whose name equals that ID", async () => {
    const { id, token, admin } = await aToken(everyScope);
    const namesake = { name: id, scopes: everyScope, ttlSeconds: 3600 };
    const made = await operate(operatorTokens, "POST", admin.token, namesake);
    // Without an order, Postgres returns the row that was written first.
    await stores.sql("update operator_tokens set name = name || '-renamed' where id = $1", id);
    await operate(tokenRevocations, "POST", admin.token, { token: id });
    expect((await call(top, "GET", { token })).code).toBe("operator_token_ended");
    expect((await call(top, "GET", { token: made.body.detail.token })).status).toBe(200);
  });

  it("can be created by admins only, under a name that no live token has", async () => {
    const operator = await anOperator(stores);
    const given = { name: "ci-deploy", scopes: ["flag:change"], ttlSeconds: 3600 };
    expect((await operate(operatorTokens, "POST", operator.token, given)).code).toBe("forbidden");
    const admin = await anOperator(stores, "admin");
    const dry = await operate(operatorTokens, "POST", admin.token, { ...given, dryRun: true });
    expect(dry.body).toMatchObject({ dryRun: true, detail: {} });
    const made = await operate(operatorTokens, "POST", admin.token, given);
    expect(made.body.detail.token).toMatch(/^ops_[\da-f]{16}_[\w-]{43}$/);
    const again = await operate(operatorTokens, "POST", admin.token, given);
    expect(again).toMatchObject({ status: 409, code: "operator_token_exists" });
    const bad = await operate(operatorTokens, "POST", admin.token, { ...given, scopes: ["flag"] });
    expect(bad.code).toBe("validation_failed");
    const listed = await call(operatorTokens, "GET", { token: admin.token });
    const mine = listed.body.items.find(({ name }: { name: string }) => name === "ci-deploy");
    expect(mine).toMatchObject({ scopes: ["flag:change"], state: "live" });
    expect(JSON.stringify(listed.body)).not.toContain(made.body.detail.token.slice(21));
    const [stored] = await stores.sql("select * from operator_tokens where name = 'ci-deploy'");
    expect(JSON.stringify(stored)).not.toContain(made.body.detail.token.slice(21));
  });

  it.each([
    ["removed", removals, "POST", (user: string) => ({ user })],
    ["suspended", suspension, "PUT", (user: string) => ({ user, suspended: true })],
    ["blocked", blocks, "POST", (value: string) => ({ kind: "user", value, ttlSeconds: 60 })],
  ] as const)(
    "is not created when the admin is %s during the request",
    async (_, route, method, of) => {
      const [admin, rogue] = [await anOperator(stores, "admin"), await anOperator(stores, "admin")];
      let stopped = 0;
      const stopBefore = async (sent: unknown) => {
        if (stopped || !/insert into .{0,4}operator_tokens/.test(JSON.stringify(sent)))
          return false;
        stopped = -1;
        stopped = (await operate(route, method, admin.token, of(rogue.user.id))).status;
        return false;
      };
      await stores.faults.postgres.set({ kind: "latency", ms: 1, match: stopBefore });
      const given = { name: "ci-too-late", scopes: ["*:*"], ttlSeconds: 3600 };
      const made = await operate(operatorTokens, "POST", rogue.token, given);
      expect(stopped).toBe(200);
      expect(made).toMatchObject({ status: 403, code: "forbidden" });
      const correlationId = made.headers.get("x-correlation-id");
      const audited = await stores.sql(
        "select from audit_log where correlation_id = $1",
        correlationId,
      );
      expect(audited).toEqual([]);
    },
  );
});

describe("the break-glass token", () => {
  /** The pages to the person on call. */
  const pages = async () => {
    await stores.settled();
    const rows = await stores.sql(
      "select payload from queue_entries where kind = 'notice' order by payload ->> 'detail'",
    );
    return rows.map(({ payload }) => JSON.parse(payload ?? "") as { key: string; detail: string });
  };

  it("revokes sessions, with a notification and an audit row for each use", async () => {
    const person = await aUser();
    const answer = await operate(revocations, "POST", breakGlassToken, { user: person.user.id });
    expect(answer.status).toBe(200);
    const [event] = logs.read("break_glass");
    expect(event).toMatchObject({ level: "SECURITY", data: { operation: "revoke:change" } });
    const rows = await stores.sql(
      "select action, actor_id, subject_id from audit_log where correlation_id = $1 order by id",
      answer.headers.get("x-correlation-id"),
    );
    expect(rows).toEqual([
      { action: "break_glass", actor_id: "break_glass", subject_id: "revoke:change" },
      { action: "sessions.revoked", actor_id: "break_glass", subject_id: person.user.id },
    ]);
  });

  it("is refused for other operations, with a notification and an audit row", async () => {
    await stores.sql("delete from queue_entries where kind = 'notice'");
    const answers = [
      await call(top, "GET", { token: breakGlassToken }),
      await call(operators, "GET", { token: breakGlassToken }),
      await operate(resets, "POST", breakGlassToken, { of: "192.0.2.7" }),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 403, code: "forbidden" });
    }
    expect(logs.read("break_glass").map(({ data }) => data.outcome)).toEqual([
      "refused",
      "refused",
      "refused",
    ]);
    const rows = await stores.sql(
      "select action, subject_id from audit_log where correlation_id = any($1::text[]) order by id",
      `{${answers.map(({ headers }) => headers.get("x-correlation-id")).join()}}`,
    );
    expect(rows).toEqual([
      { action: "break_glass.refused", subject_id: "ratelimit:read" },
      { action: "break_glass.refused", subject_id: "operator:read" },
      { action: "break_glass.refused", subject_id: "ratelimit:change" },
    ]);
    const notices = await pages();
    expect(notices.map(({ detail }) => detail)).toEqual([
      expect.stringContaining("operator:read, refused"),
      expect.stringContaining("ratelimit:change, refused"),
      expect.stringContaining("ratelimit:read, refused"),
    ]);
    expect(new Set(notices.map(({ key }) => key)).size).toBe(1);
  });

  it("makes one incident of the uses of an hour from one network, whatever their correlation IDs", async () => {
    await stores.sql("delete from queue_entries where kind = 'notice'");
    const use = (correlationId: string, ip: string) =>
      call(drain, "GET", {
        token: breakGlassToken,
        ip,
        headers: { "x-correlation-id": correlationId },
      });
    await use("one", "203.0.113.7");
    await use("two", "203.0.113.8");
    const notices = await pages();
    // Each use is a notice, which PagerDuty adds to the incident of its key.
    expect(notices.map(({ detail }) => detail)).toEqual([
      "drain:read, allowed, correlation ID one",
      "drain:read, allowed, correlation ID two",
    ]);
    const [one] = notices;
    expect(notices.map(({ key }) => key)).toEqual([one?.key, one?.key]);
    expect(one?.key).not.toMatch(/one|two/);

    await use("one", "198.51.100.7");
    expect(new Set((await pages()).map(({ key }) => key)).size).toBe(2);
    clock.advance(3600);
    await use("one", "203.0.113.7");
    expect(new Set((await pages()).map(({ key }) => key)).size).toBe(3);
  });

  it("is refused for other operations also while Postgres is unavailable", async () => {
    await stores.faults.postgres.set({ kind: "refuse" });
    const answer = await operate(resets, "POST", breakGlassToken, { of: "192.0.2.7" });
    expect(answer).toMatchObject({ status: 403, code: "forbidden" });
    expect(logs.read("break_glass_unrecorded").length).toBe(1);
  });

  it("is refused when one character differs", async () => {
    const near = await operate(revocations, "POST", `${breakGlassToken}x`, { everybody: true });
    expect(near).toMatchObject({ status: 401, code: "token_invalid" });
  });

  it("changes nothing when Postgres cannot record the use", async () => {
    const person = await aUser();
    await stores.faults.postgres.set({ kind: "refuse" });
    const answer = await operate(revocations, "POST", breakGlassToken, { user: person.user.id });
    expect(answer).toMatchObject({ status: 503, code: "service_unavailable" });
    expect(logs.read("break_glass").length).toBe(1);
  });
});
