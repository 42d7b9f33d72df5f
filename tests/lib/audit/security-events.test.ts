import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import * as z from "zod";
import changeEmail from "../../../api/auth/change-email/index.js";
import undoEmailChange from "../../../api/auth/change-email/undo.js";
import changePassword from "../../../api/auth/change-password.js";
import forgotPassword from "../../../api/auth/forgot-password.js";
import login from "../../../api/auth/login.js";
import logout from "../../../api/auth/logout.js";
import reauthenticate from "../../../api/auth/reauthenticate.js";
import refresh from "../../../api/auth/refresh.js";
import register from "../../../api/auth/register.js";
import resetPassword from "../../../api/auth/reset-password.js";
import totp from "../../../api/auth/totp/index.js";
import verifyEmail from "../../../api/auth/verify-email/index.js";
import index from "../../../api/index.js";
import user from "../../../api/user/index.js";
import ownSession from "../../../api/user/sessions/[sessionId].js";
import { securityEvent } from "../../../lib/audit/security-events.js";
import { issueAccessToken } from "../../../lib/auth/token/access-token.js";
import type { Context } from "../../../lib/context.js";
import { database } from "../../../lib/db/database.js";
import { env } from "../../../lib/env.js";
import { AppError } from "../../../lib/errors.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { type Route, route } from "../../../lib/http/route.js";
import { emptyRequestMetrics } from "../../../lib/request-metrics.js";
import { call } from "../../support/call.js";
import { useStillClock } from "../../support/clock.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { aBoundUser, aUser, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

useEnvironment({ LOG_LEVEL: "info" });
const stores = useStores();
const lines = useLogLines();
const clock = useStillClock();
afterEach(() => stores.sql("delete from security_events"));

let lastAddress = 0;
const anAddress = () => `198.51.100.${++lastAddress}`;
const unknownEmail = () => `nobody-${randomUUID()}@example.com`;
const guess = (email: string, ip: string) =>
  call(login, "POST", { body: { email, password: "not the password" }, ip });

/** Counts this test's events by kind, in the log and in the table. */
async function events(): Promise<Record<string, number>> {
  await stores.settled();
  const logged: Record<string, number> = {};
  for (const line of lines.read().filter(({ level }) => level === "SECURITY")) {
    expect(line).toMatchObject({ cat: "security", corr: { correlationId: expect.any(String) } });
    logged[line.evt] = (logged[line.evt] ?? 0) + 1;
  }
  const rows = await stores.sql("select event, sum(count) from security_events group by event");
  expect(Object.fromEntries(rows.map((row) => [row.event, Number(row.sum)]))).toEqual(logged);
  return logged;
}

const learner = route("/api/test/answers", {
  POST: endpoint({
    summary: "Takes a learner's text.",
    auth: "anonymous",
    limits: [],
    body: z.strictObject({ name: z.string(), email: z.string() }),
    replies: { 200: z.unknown() },
    errors: ["reauth_required"],
    handle: async () => ({}),
  }),
  GET: endpoint({
    summary: "Refuses a known caller.",
    auth: "anonymous",
    limits: [],
    replies: { 200: z.unknown() },
    errors: ["forbidden"],
    handle: async () => {
      throw new AppError("forbidden");
    },
  }),
});

describe("a security event", () => {
  it("writes a line with the full address and a row with the caller, route and data", async () => {
    const ip = anAddress();
    const { headers } = await guess(unknownEmail(), ip);
    await stores.settled();
    const [line] = lines.read("login_failed");
    const data = { route: "/api/auth/login", ip, account: expect.stringMatching(/^[\w-]{22}$/) };
    const correlationId = headers.get("x-correlation-id");
    expect(line).toMatchObject({ level: "SECURITY", corr: { correlationId }, data });
    const [row] = await stores.sql("select * from security_events");
    expect(row).toMatchObject({
      event: "login_failed",
      count: "1",
      ip,
      route: "/api/auth/login",
      correlation_id: correlationId,
    });
    expect(JSON.parse(row?.data ?? "")).toEqual({ account: line.data.account });
  });

  it("reports a failed sign-in and ten failures from one address, but not a success", async () => {
    const ip = anAddress();
    for (let turn = 0; turn < 9; turn++) await guess(unknownEmail(), ip);
    expect(await events()).toEqual({ login_failed: 9 });
    await guess(unknownEmail(), ip);
    expect(await events()).toEqual({ login_failed: 10, login_bruteforce: 1 });
    expect(lines.read("login_bruteforce")[0].data).toMatchObject({ reason: "ip", count: 10 });
  });

  it("reports ten failures once in ten minutes, however many follow", async () => {
    const ip = anAddress();
    for (let turn = 0; turn < 13; turn++) await guess(unknownEmail(), ip);
    expect(await events()).toEqual({ login_failed: 13, login_bruteforce: 1 });
    clock.advance(10 * 60);
    for (let turn = 0; turn < 9; turn++) await guess(unknownEmail(), ip);
    expect(await events()).toEqual({ login_failed: 22, login_bruteforce: 1 });
    await guess(unknownEmail(), ip);
    expect(await events()).toEqual({ login_failed: 23, login_bruteforce: 2 });
  });

  it("reports ten failures once while Redis is unavailable", async () => {
    await stores.faults.redis.set({ kind: "refuse" });
    const ip = anAddress();
    for (let turn = 0; turn < 12; turn++) await guess(unknownEmail(), ip);
    expect(await events()).toEqual({ login_failed: 12, login_bruteforce: 1 });
  });

  it("does not report failures that are hours apart as an attack", async () => {
    const email = unknownEmail();
    for (const wait of [0, 0, 0, 0, 0, 30, 60, 120, 240, 20 * 3600]) {
      clock.advance(wait);
      expect((await guess(email, anAddress())).status).toBe(401);
    }
    expect(await events()).toEqual({ login_failed: 10 });
  });

  it("reports ten failures at one account from any addresses", async () => {
    const email = unknownEmail();
    for (const wait of [0, 0, 0, 0, 0, 30, 60, 120, 240]) {
      clock.advance(wait);
      expect((await guess(email, anAddress())).status).toBe(401);
    }
    expect(await events()).toEqual({ login_failed: 9 });
    clock.advance(480);
    await guess(email, anAddress());
    expect(await events()).toEqual({ login_failed: 10, login_bruteforce: 1 });
    expect(lines.read("login_bruteforce")[0].data).toMatchObject({ reason: "account", count: 10 });
  });

  it.each([
    [2, undefined],
    [3, 1],
  ])(
    "after %i failures and a success, login_success_after_failures is counted: %s",
    async (count, logged) => {
      const person = await aBoundUser(stores);
      const ip = anAddress();
      for (let turn = 0; turn < count; turn++) await guess(person.email, ip);
      const body = { email: person.email, password, device: { id: person.deviceId } };
      expect((await call(login, "POST", { body, ip })).status).toBe(200);
      expect((await events()).login_success_after_failures).toBe(logged);
      if (!logged) return;
      const [line] = lines.read("login_success_after_failures");
      expect(line.data).toMatchObject({ userId: person.user.id, count });
      expect((await call(login, "POST", { body, ip })).status).toBe(200);
      expect((await events()).login_success_after_failures).toBe(1);
    },
  );

  it("reports the limit that refused a request", async () => {
    const { email } = await aUser();
    for (let turn = 0; turn < 5; turn++) await guess(email, anAddress());
    await guess(email, anAddress());
    expect(await events()).toEqual({ login_failed: 5, rate_limited: 1 });
    expect(lines.read("rate_limited")[0].data).toMatchObject({ policy: "account" });
  });

  it("reports a forged token, but not an expired or missing one", async () => {
    const { accessToken } = await aUser();
    const [head = "", claims = "", mac = ""] = accessToken.split(".");
    const none = Buffer.from('{"alg":"none"}').toString("base64url");
    const forged = { signature: `${head}.${claims}.${mac.slice(0, -2)}AA`, form: "x.y.z" };
    for (const token of Object.values(forged)) await call(user, "GET", { token });
    await call(user, "GET", { token: `${none}.${claims}.${mac}` });
    await call(refresh, "POST", { body: { refreshToken: "rt1.garbage" } });
    await call(user, "GET", {});
    clock.advance(86_400);
    expect((await call(user, "GET", { token: accessToken })).code).toBe("token_expired");
    expect(await events()).toEqual({ jwt_signature_invalid: 4 });
    const reasons = lines.read("jwt_signature_invalid").map(({ data }) => data.reason);
    expect(reasons).toEqual(["signature", "form", "algorithm", "refresh_token"]);
  });

  it("reports a host that is not served", async () => {
    setEnvironment({ LOG_LEVEL: "info", ALLOWED_HOSTS: "linguamate.com" });
    const { status } = await call(index, "GET", { url: "http://evil.example/api" });
    expect(status).toBe(421);
    expect(await events()).toEqual({ host_rejected: 1 });
  });

  it("reports a request of a foreign origin, but not its preflight or our own pages", async () => {
    setEnvironment({ LOG_LEVEL: "info", CORS_ORIGIN: "https://app.linguamate.com" });
    const from = (origin: string, method: "GET" | "OPTIONS" = "GET") =>
      call(index, method, { headers: { origin } });
    await from("https://app.linguamate.com");
    await from("http://localhost:8080");
    await from("https://evil.example", "OPTIONS");
    await call(index, "GET");
    expect(await events()).toEqual({});
    await from("https://evil.example");
    await from("null");
    expect(await events()).toEqual({ cors_rejected: 2 });
  });

  it("reports a refused known caller", async () => {
    expect((await call(learner, "GET")).status).toBe(403);
    expect(await events()).toEqual({ authz_denied: 1 });
    expect(lines.read("authz_denied")[0].data).toMatchObject({ code: "forbidden" });
  });

  it("does not report what a caller must do first, or what its own account is", async () => {
    const [person, unbound] = [await aUser(), await aUser()];
    const [suspended, leaving] = [await aBoundUser(stores), await aBoundUser(stores)];
    const { id: userId } = person.user;
    const earlier = { userId, sessionId: person.sessionId, authMethods: ["pwd"] };
    const authenticatedAt = new Date(Date.now() - 3_600_000);
    const stale = await issueAccessToken(env(), { ...earlier, authenticatedAt }, new Date());
    await stores.sql("update users set suspended_at = now() where id = $1", suspended.user.id);
    await stores.sql("update users set purge_at = now() + '1 day' where id = $1", leaving.user.id);
    const signIn = ({ email }: { email: string }) =>
      call(login, "POST", { ip: anAddress(), body: { email, password } });
    const refused = [
      await call(totp, "POST", { token: stale }),
      await call(totp, "POST", { token: unbound.accessToken }),
      await signIn(suspended),
      await signIn(leaving),
      await call(ownSession, "DELETE", {
        token: person.accessToken,
        url: `http://localhost:8080/api/user/sessions/${randomUUID()}`,
      }),
    ];
    expect(refused.map(({ code }) => code)).toEqual([
      "reauth_required",
      "email_unverified",
      "account_suspended",
      "deletion_pending",
      "not_found",
    ]);
    expect(await events()).toEqual({});
  });

  it("does not report the refresh of a session that has expired or was revoked", async () => {
    const [expired, revoked] = [await aUser(), await aUser()];
    const end = (person: { sessionId: string }, column: string) =>
      stores.sql(
        `update sessions set ${column} = now() - '1 hour'::interval where id = $1`,
        person.sessionId,
      );
    await end(expired, "idle_expires_at");
    await call(logout, "POST", { token: revoked.accessToken });
    const answers = [];
    for (const { refreshToken } of [expired, revoked]) {
      answers.push(await call(refresh, "POST", { body: { refreshToken } }));
    }
    expect(answers.map(({ code }) => code)).toEqual(["session_expired", "session_revoked"]);
    expect(await events()).toEqual({});
  });

  it("records the token's user, which the response does not contain", async () => {
    const ip = anAddress();
    const { accessToken: token, user: person, sessionId, email } = await aUser();
    const wrong = { currentPassword: "not the password", newPassword: "a battery that is new" };
    const refused = [
      await call(changePassword, "POST", { ip, token, body: wrong }),
      await call(reauthenticate, "POST", { ip, token, body: { password: "not the password" } }),
    ];
    const earlier = { userId: person.id, sessionId, authMethods: ["pwd"] };
    const authenticatedAt = new Date(Date.now() - 3_600_000);
    const stale = await issueAccessToken(env(), { ...earlier, authenticatedAt }, new Date());
    refused.push(await call(totp, "POST", { ip, token: stale }));
    const delayed = (await aUser()).email;
    for (let turn = 0; turn < 5; turn++) await guess(delayed, anAddress());
    const body = { email: delayed, password: "not the password" };
    refused.push(await call(login, "POST", { ip, token, body }));
    expect(refused.map(({ status }) => status)).toEqual([401, 401, 403, 429]);
    await stores.settled();
    const rows = await stores.sql("select event, user_id from security_events where ip = $1", ip);
    const logged = ["login_failed", "login_failed", "rate_limited"];
    expect(rows.map(({ event }) => event).sort()).toEqual(logged);
    expect(new Set(rows.map(({ user_id }) => user_id))).toEqual(new Set([person.id]));
    const responses = JSON.stringify(refused.map((answer) => [answer.body, [...answer.headers]]));
    expect(responses).not.toContain(person.id);
    expect(responses).not.toContain(email);
  });

  it("reports attack patterns in the URL and in sign-in fields", async () => {
    const at = (query: string) =>
      call(index, "GET", { url: `http://localhost:8080/api${query}` }).catch(() => {});
    await at("?q=%27+OR+1%3D1--");
    await at("/%3Cscript%3Ealert(1)%3C/script%3E");
    await call(login, "POST", { body: { email: "x' or '1'='1", password }, ip: anAddress() });
    const name = "<img src=x onerror=alert(1)>";
    const body = { email: unknownEmail(), password, name, acceptedTerms: true };
    expect((await call(register, "POST", { body })).status).toBe(201);
    const { login_failed, ...attacks } = await events();
    expect(login_failed).toBe(1);
    expect(attacks).toEqual({ sql_injection_attempt: 2, xss_attempt: 2 });
    const reasons = lines.read().flatMap(({ evt, data }) => {
      return evt.endsWith("_attempt") ? [data.reason] : [];
    });
    expect(reasons).toEqual(["url", "url", "email", "name"]);
    expect(lines.written().join()).not.toContain("onerror");
  });

  it("reports attack patterns in the fields of every auth body once, but never in a password", async () => {
    const { accessToken: token } = await aUser();
    const [sql, xss] = ["x' OR 1=1 --", "<script>alert(1)</script>"];
    const reset = { email: unknownEmail(), code: "ABCD2345", password: sql };
    const bodies: [Route, Record<string, unknown>, string | undefined][] = [
      [forgotPassword, { email: sql }, "email"],
      [changeEmail, { email: `${xss}@example.com` }, "email"],
      [verifyEmail, { code: sql }, "code"],
      [resetPassword, { ...reset, email: sql }, "email"],
      [resetPassword, reset, undefined],
      [reauthenticate, { otp: xss }, "otp"],
      [undoEmailChange, { token: xss }, "token"],
      [changePassword, { currentPassword: sql, newPassword: `${sql} ${sql}` }, undefined],
    ];
    for (const [route, body, reason] of bodies) {
      const { headers } = await call(route, "POST", { ip: anAddress(), token, body });
      const logged = lines.read().filter(({ evt, corr }) => {
        const isOfThis = corr?.correlationId === headers.get("x-correlation-id");
        return isOfThis && /^(sql_injection|xss)_attempt$/.test(evt);
      });
      expect(logged.map(({ data }) => data.reason)).toEqual(reason ? [reason] : []);
    }
    await stores.settled();
  });

  it("does not report what learners write", async () => {
    const body = { name: "' or 1=1 --", email: "<script>alert(1)</script>" };
    expect((await call(learner, "POST", { body })).status).toBe(200);
    const registration = { email: unknownEmail(), password, acceptedTerms: true };
    const name = "Conan O'Brien, select a language";
    await call(register, "POST", { body: { ...registration, name } });
    expect(await events()).toEqual({});
  });
});

describe("security events in the table", () => {
  it("are stored in few rows for many forged tokens, and only after the response", async () => {
    await stores.resetCalls();
    const token = "eyJhbGciOiJIUzI1NiJ9.e30.AAAA";
    const flood = Array.from({ length: 200 }, () => call(user, "GET", { token, ip: anAddress() }));
    const answers = await Promise.all(flood);
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(["token_invalid"]));
    await stores.settled();
    const rows = await stores.sql("select count from security_events");
    expect(rows.length).toBeLessThanOrEqual(11 * stores.calls().postgresCalls);
    expect(rows.reduce((sum, { count }) => sum + Number(count), 0)).toBe(200);
    expect(lines.read("jwt_signature_invalid")).toHaveLength(200);
  });

  it("are stored at once, and those of the next 50 ms together", async () => {
    const [first, second, third] = [aFlood(), aFlood(), aFlood()];
    await stores.resetCalls();
    // The batch of an earlier test was over 50 ms ago.
    await new Promise((resolve) => setTimeout(resolve, 60));
    securityEvent(first.ctx({}), "rate_limited");
    const written = first.written();
    await new Promise((resolve) => setImmediate(resolve));
    securityEvent(second.ctx({}), "rate_limited");
    const next = second.written();
    await new Promise((resolve) => setImmediate(resolve));
    securityEvent(third.ctx({}), "rate_limited");
    await Promise.all([written, next, third.written()]);
    expect(stores.calls().postgresCalls).toBe(2);
  });

  it("are stored as at most eleven rows per statement for similar events, with their common fields", async () => {
    const flood = aFlood();
    await stores.resetCalls();
    for (let turn = 0; turn < 300; turn++) {
      const data = { policy: "default", reason: turn % 2 ? "ip" : "session" };
      securityEvent(flood.ctx({ address: `10.0.0.${turn % 200}` }), "rate_limited", { data });
    }
    await flood.written();
    expect(stores.calls().postgresCalls).toBe(1);
    const rows = await stores.sql("select count, ip, data from security_events order by count");
    expect(rows.map(({ count }) => Number(count))).toEqual([...Array(10).fill(1), 290]);
    expect(rows[0]?.ip).toMatch(/^10\.0\.0\./);
    expect(rows[10]?.ip).toBeNull();
    expect(JSON.parse(rows[10]?.data ?? "")).toEqual({ policy: "default" });
  });

  it("are dropped while Postgres is unavailable, with one log line, and do not affect requests", async () => {
    const token = "eyJhbGciOiJIUzI1NiJ9.e30.AAAA";
    await stores.faults.postgres.set({ kind: "refuse" });
    const answers = await Promise.all([1, 2, 3].map(() => call(user, "GET", { token })));
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401]);
    await stores.settled();
    expect(lines.read("jwt_signature_invalid")).toHaveLength(3);
    const dropped = lines.read("security_events_dropped");
    expect(dropped).toMatchObject([{ level: "WARN", data: { count: 3 } }]);
    expect(lines.read("deferred_work_failed")).toEqual([]);
    await stores.faults.postgres.set(null);
    await call(user, "GET", { token });
    await stores.settled();
    expect(await stores.sql("select event from security_events")).toHaveLength(1);
  });

  it("are limited in number, and the rest is counted in a log line", async () => {
    const flood = aFlood();
    for (let turn = 0; turn < 620; turn++) {
      securityEvent(flood.ctx({ route: `/api/${turn}` }), "rate_limited");
    }
    await flood.written();
    expect(await stores.sql("select id from security_events")).toHaveLength(500);
    expect(lines.read("security_events_dropped")).toMatchObject([{ data: { count: 120 } }]);
  });
});

/** Contexts of concurrent requests. */
function aFlood() {
  const work: (() => Promise<unknown>)[] = [];
  const ctx = (changes: Partial<Context>): Context => ({
    env: env(),
    db: database(),
    now: new Date(),
    correlationId: "a-flood",
    route: "/api/test",
    address: undefined,
    requestMetrics: emptyRequestMetrics(),
    gate: null,
    after: (later) => work.push(later),
    ...changes,
  });
  return { ctx, written: () => Promise.all(work.map((later) => later())) };
}
