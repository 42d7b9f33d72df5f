import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import resetPassword from "../../../api/auth/reset-password.js";
import find from "../../../api/ops/rate-limits/find.js";
import resets from "../../../api/ops/rate-limits/resets.js";
import top from "../../../api/ops/rate-limits/top.js";
import user from "../../../api/user/index.js";
import { env } from "../../../lib/env.js";
import { seriesName } from "../../../lib/observability/metrics.js";
import { accountLimitKey } from "../../../lib/rate-limit/account-limit-key.js";
import { call } from "../../support/call.js";
import { useStillClock } from "../../support/clock.js";
import { deleteEvents } from "../../support/drained.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { anOperator, type OperatorPerson, operate } from "../../support/operators.js";
import { aBoundUser, anAddress, aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const logs = useLogLines();
useStillClock();
useEnvironment({ RATE_LIMIT_MAX_REQUESTS: "30" });

let operator: OperatorPerson;
beforeEach(async () => {
  operator = await anOperator(stores);
});

const show = (of: string) => call(find, "POST", { token: operator.token, body: { of } });
const clear = (of: string, dryRun = false) =>
  operate(resets, "POST", operator.token, { of, dryRun });

/** Uses up the caller's rate limit. */
async function exhaust(token: string): Promise<void> {
  for (let request = 0; request < 31; request++) await call(user, "GET", { token });
  expect((await call(user, "GET", { token })).code).toBe("rate_limited");
}

/** Wrong passwords, until the account is delayed. */
async function guess(email: string, ip: string): Promise<void> {
  const body = { email, password: "wrong" };
  for (let attempt = 0; attempt < 5; attempt++) await call(login, "POST", { body, ip });
  expect((await call(login, "POST", { body, ip: anAddress() })).code).toBe("rate_limited");
}

describe("clearing rate limits", () => {
  it("clears a session's counter by deleting its Redis key or by a reset", async () => {
    const { accessToken: token, sessionId, user: person } = await aUser();
    await exhaust(token);
    const keys = (await stores.redis("KEYS", "rate:*")) as string[];
    const [own] = keys.filter((key) => key.startsWith(`rate:default:session:${sessionId}:`));
    expect(await stores.redis("DEL", own ?? "")).toBe(1);
    expect((await call(user, "GET", { token })).status).toBe(200);

    await exhaust(token);
    const cleared = await clear(sessionId);
    expect(cleared.body).toMatchObject({ done: "Cleared 1 counter.", detail: { keys: [own] } });
    expect((await call(user, "GET", { token })).status).toBe(200);

    await exhaust(token);
    expect((await clear(person.id, true)).body.detail.keys).toContain(own);
    expect((await call(user, "GET", { token })).code).toBe("rate_limited");
    await clear(person.id);
    expect((await call(user, "GET", { token })).status).toBe(200);
    const audits = await stores.sql(
      "select subject_id, reason from audit_log where action = 'rate_limits.cleared' and actor_id = $1 order by id",
      operator.user.id,
    );
    expect(audits).toEqual([
      { subject_id: `session ${sessionId}`, reason: "a test" },
      { subject_id: person.id, reason: "a test" },
    ]);
  });

  it("clears all counters of an IP address and no others", async () => {
    const [ip, other] = ["10.9.8.7", "10.9.8.70"];
    const { email } = await aBoundUser(stores);
    await guess(email, ip);
    await call(login, "POST", { body: { email, password: "wrong" }, ip: other });
    const policies = (await show(ip)).body.counters.map(
      ({ policy, kind }: Record<string, string>) => `${policy} ${kind}`,
    );
    expect(policies.sort()).toEqual([
      "address-ceiling address",
      "auth-calls ip",
      "auth-failures ip",
      "auth-failures ip-account",
    ]);
    await clear(ip);
    expect((await show(ip)).body.counters).toEqual([]);
    expect((await show(other)).body.counters.length).toBeGreaterThan(0);
  });

  it("ends an account's login delay by its e-mail address, which is neither returned nor logged", async () => {
    const { email, password } = await aBoundUser(stores);
    await guess(email, anAddress());
    const found = await show(email);
    const delay = found.body.counters.find(
      ({ policy }: { policy: string }) => policy === "account",
    );
    expect(delay).toMatchObject({ used: 5, max: 5, refuses: true, countedIn: "redis" });
    await clear(email);
    const ip = anAddress();
    const signedIn = await call(login, "POST", { body: { email, password }, ip });
    expect(signedIn.status).toBe(200);
    const responsesAndLogs = JSON.stringify(found.body) + logs.written().join("");
    expect(responsesAndLogs).not.toContain(email);
  });

  it("finds and clears by the e-mail address what it does by the user ID", async () => {
    for (const person of [await aBoundUser(stores), await aUser()]) {
      await exhaust(person.accessToken);
      const byUser = (await show(person.user.id)).body.counters;
      expect(byUser).toContainEqual(
        expect.objectContaining({ policy: "default", kind: "session", refuses: true }),
      );
      expect((await show(person.email)).body.counters).toEqual(byUser);
      await clear(person.email);
      expect((await call(user, "GET", { token: person.accessToken })).status).toBe(200);
    }
  });

  it("clears the counters of a user's speech and toolkit calls", async () => {
    const { user: person } = await aUser();
    const keys = ["speech:user", "toolkit:unverified"].map((row) => {
      const window = Math.floor(Date.now() / (row.startsWith("speech") ? 60_000 : 86_400_000));
      return `rate:${row}:${person.id}:${window}`;
    });
    for (const key of keys) await stores.redis("SET", key, "50");
    const found = (await show(person.id)).body.counters.map(({ key }: { key: string }) => key);
    expect(found).toEqual(expect.arrayContaining(keys));
    await clear(person.id);
    expect((await show(person.id)).body.counters).toEqual([]);
  });

  it("requires an admin for an operator's account, however it is named", async () => {
    const other = await anOperator(stores);
    await guess(other.email, anAddress());
    const keys = (await show(other.email)).body.counters.map(({ key }: { key: string }) => key);
    const hash = keys
      .find((key: string) => key.startsWith("rate:account:"))
      .split(":")
      .at(-1);
    const delayed = () =>
      call(login, "POST", { body: { email: other.email, password: "wrong" }, ip: anAddress() });
    for (const of of [other.email, other.user.id, other.sessionId, hash]) {
      expect(await clear(of)).toMatchObject({ status: 403, code: "forbidden" });
      expect((await clear(of, true)).code).toBe("forbidden");
    }
    expect((await delayed()).code).toBe("rate_limited");
    const admin = await anOperator(stores, "admin");
    const cleared = await operate(resets, "POST", admin.token, { of: other.email });
    expect(cleared.body.detail.keys).toEqual(expect.arrayContaining(keys));
    expect((await delayed()).code).toBe("invalid_credentials");
  });

  it("finds the counters of an IPv6 address by its network", async () => {
    const { email } = await aBoundUser(stores);
    const body = { email, password: "wrong" };
    await call(login, "POST", { body, ip: "2001:db8:1:2::9" });
    const keys = (await clear("2001:db8:1:2:aaaa::1")).body.detail.keys;
    expect(keys).toContainEqual(expect.stringContaining("2001:db8:1:2::/64"));
    expect((await show("2001:db8:1:2::9")).body.counters).toEqual([]);
  });

  it("clears Postgres counters while Redis is unavailable, and says that it must be repeated", async () => {
    const { email, password } = await aBoundUser(stores);
    await stores.faults.redis.set({ kind: "reset" });
    const ip = anAddress();
    const body = { email, password: "wrong" };
    for (let attempt = 0; attempt < 5; attempt++) await call(login, "POST", { body, ip });
    expect((await call(login, "POST", { body, ip })).code).toBe("rate_limited");
    const found = await show(email);
    expect(found.body).toMatchObject({ redisAnswered: false });
    expect(found.body.counters).toContainEqual(
      expect.objectContaining({ policy: "account", countedIn: "postgres", refuses: true }),
    );
    const cleared = await clear(email);
    expect(cleared.body.done).toMatch(/Redis did not answer: repeat this/);
    const signedIn = await call(login, "POST", { body: { email, password }, ip });
    expect(signedIn.status).toBe(200);
  });

  it("leaves out windows that have ended, and shows an ended delay as one that refuses nothing", async () => {
    const { user: person, email } = await aUser();
    const hash = accountLimitKey(env(), email);
    const minutes = (count: number) => String(Date.now() + count * 60_000);
    const window = Math.floor(Date.now() / 60_000);
    await stores.redis("SET", `rate:speech:user:${person.id}:${window - 2}`, "50");
    await stores.sql(
      "insert into rate_limits values ($1, 100, $2), ($3, 100, $4)",
      `rate:auth-failures:ip-account:192.0.2.1/${hash}:1`,
      minutes(-1),
      `rate:auth-failures:ip-account:192.0.2.2/${hash}:2`,
      minutes(1),
    );
    await stores.sql(
      `insert into login_delays (key, failures, delayed_until_ms, expires_at_ms, last_reservation)
        values ($1, 6, $2, $3, gen_random_uuid()), ($4, 6, $2, $2, gen_random_uuid())`,
      `rate:account:account:${hash}`,
      minutes(-1),
      minutes(60),
      `rate:account:account-session:${hash}/${person.id}`,
    );
    const { counters } = (await show(person.id)).body;
    expect(counters.map(({ key }: { key: string }) => key).sort()).toEqual([
      `rate:account:account:${hash}`,
      `rate:auth-failures:ip-account:192.0.2.2/${hash}:2`,
    ]);
    expect(counters).toContainEqual(
      expect.objectContaining({ policy: "account", used: 6, until: null, refuses: false }),
    );
  });

  it("shows and clears the failed password resets of an address", async () => {
    const { email } = await aBoundUser(stores);
    const ip = anAddress();
    const body = { email, code: "AAAAAAAA", password: "another battery" };
    for (let attempt = 0; attempt < 10; attempt++) await call(resetPassword, "POST", { body, ip });
    expect((await call(resetPassword, "POST", { body, ip })).code).toBe("rate_limited");
    expect((await show(email)).body.counters).toMatchObject([
      { policy: "auth-failures", kind: "ip-account", refuses: true },
    ]);
    await clear(email);
    expect((await call(resetPassword, "POST", { body, ip })).code).toBe("code_invalid");
  });

  it("returns 422 for invalid input and 404 for an unknown account", async () => {
    for (const of of ["rate:*", "*", "ada"]) {
      expect((await clear(of)).code).toBe("validation_failed");
    }
    const unknown = await clear("0f6b1c86-1cf1-4a8d-a7ab-7c9c1f7b1b52");
    expect(unknown).toMatchObject({ status: 404, code: "not_found" });
  });
});

describe("GET /api/ops/rate-limits/top", () => {
  const topBy = (by: string) =>
    call(top, "GET", {
      token: operator.accessToken,
      url: `http://localhost:8080/api/ops/rate-limits/top?by=${by}`,
    });

  beforeAll(() => stores.sql("delete from security_events"));
  beforeEach(() => deleteEvents(stores));

  it("lists the addresses and users that were refused most in the last hour", async () => {
    const person = await aUser();
    await exhaust(person.accessToken);
    await stores.settled();
    const byUser = await topBy("user");
    expect(byUser.body.rows).toContainEqual({
      value: person.user.id,
      policy: "default",
      hits: 2,
    });
    const byIp = await topBy("ip");
    expect(byIp.body.rows[0]).toMatchObject({
      policy: expect.any(String),
      hits: expect.any(Number),
    });
  });

  it("lists the routes, from the counts per minute", async () => {
    const series = (route: string) =>
      seriesName("rate_limit_hits_total", { policy: "default", route });
    const minute = (ago: number) => new Date(Date.now() - ago * 60_000).toISOString();
    for (const [route, ago, value] of [
      ["/api/user", 5, 7],
      ["/api/user", 6, 5],
      ["/api/auth/login", 5, 30],
      ["/api/old", 90, 99],
    ] as const) {
      await stores.sql(
        "insert into telemetry_minutes (minute, series, value) values (date_trunc('minute', $1::timestamptz), $2, $3)",
        minute(ago),
        series(route),
        String(value),
      );
    }
    expect((await topBy("route")).body.rows).toEqual([
      { value: "/api/auth/login", policy: "default", hits: 30 },
      { value: "/api/user", policy: "default", hits: 12 },
    ]);
    for (const by of ["route", "ip", "user"]) {
      expect((await topBy(by)).body.eventsUntil).toMatch(/^\d{4}-/);
    }
    expect((await topBy("planet")).code).toBe("validation_failed");
  });
});
