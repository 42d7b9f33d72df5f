import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import login from "../../api/auth/login.js";
import refresh from "../../api/auth/refresh.js";
import flags from "../../api/flags.js";
import livez from "../../api/livez.js";
import removal from "../../api/ops/flags/[name]/removal.js";
import flag from "../../api/ops/flags/[name].js";
import list from "../../api/ops/flags/index.js";
import transcribe from "../../api/stt/transcribe.js";
import user from "../../api/user/index.js";
import preferences from "../../api/user/preferences.js";
import { copyGateToRedis } from "../../lib/admission/mirror.js";
import { routeGroups } from "../../lib/admission/route-groups.js";
import { call } from "../support/call.js";
import { useStillClock } from "../support/clock.js";
import { aContext } from "../support/context.js";
import { drained } from "../support/drained.js";
import { setEnvironment, useEnvironment } from "../support/environment.js";
import { useLogLines } from "../support/log-lines.js";
import { anOperator, breakGlassToken, type OperatorPerson } from "../support/operators.js";
import { aGuest, anAddress, aUser, someUsers } from "../support/people.js";
import { useStores } from "../support/stores.js";

useEnvironment({ OPS_TOKEN: breakGlassToken });
const stores = useStores();
const logs = useLogLines();
let operator: OperatorPerson;
beforeAll(async () => {
  setEnvironment({ OPS_TOKEN: breakGlassToken });
  operator = await anOperator(stores);
});

const put = (name: string, body: object, token = operator.token) =>
  call(flag, "PUT", {
    token,
    url: `http://localhost:8080/api/ops/flags/${name}`,
    body: { reason: "a test", ...body },
  });
const remove = (name: string, body: object = {}, token = operator.token) =>
  call(removal, "POST", {
    token,
    url: `http://localhost:8080/api/ops/flags/${name}/removal`,
    body: { reason: "a test", ...body },
  });
const getFlags = async (token?: string) => (await call(flags, "GET", token ? { token } : {})).body;

describe("a kill switch", () => {
  it("disables one group of routes at once, before a body is read", async () => {
    const { accessToken: token } = await aUser();
    const off = await put("user", { enabled: false });
    expect(off.body).toMatchObject({
      done: "Switched user off.",
      undo: expect.stringContaining("flag on user"),
    });
    const answer = await call(user, "GET", { token });
    expect(answer).toMatchObject({ status: 503, code: "feature_disabled" });
    expect(answer.headers.get("retry-after")).toBe("60");
    const { level, data } = logs.read("http_request").at(-1);
    // Switched off by an operator, so not logged as an error.
    expect([level, data.status, data.code]).toEqual(["INFO", 503, "feature_disabled"]);
    const unread = new ReadableStream(
      { pull: () => expect.unreachable("the body was read") },
      { highWaterMark: 0 },
    );
    const headers = { "content-type": "application/json", "if-match": "*" };
    expect((await call(preferences, "PUT", { token, body: unread, headers })).status).toBe(503);
    expect(
      (await call(login, "POST", { body: { email: "a@example.com", password: "not this" } }))
        .status,
    ).toBe(401);
    expect((await call(livez, "GET")).status).toBe(200);
    expect((await getFlags()).switchedOff).toEqual(["user"]);
    await put("user", { enabled: true });
    expect((await call(user, "GET", { token })).status).toBe(200);
    const rows = await stores.sql(
      "select subject_id from audit_log where action = 'flag.changed' order by id",
    );
    expect(rows.slice(-2)).toMatchObject([{ subject_id: "user:off" }, { subject_id: "user:on" }]);
  });

  it("writes no audit row for what it already is, and repeats the write to Redis", async () => {
    const rows = () => stores.sql("select id from audit_log where action = 'flag.changed'");
    await put("user", { enabled: true });
    const before = await rows();
    await stores.redis("HSET", "gate", "flags", "{}");
    await stores.redis("HDEL", "mirror:versions", "flags");
    expect((await put("user", { enabled: true })).body.done).toBe("user is already on.");
    expect(await rows()).toEqual(before);
    expect(await stores.redis("HGET", "gate", "flags")).toContain('"off":[]');
  });

  it("is listed as not in force until Redis has it", async () => {
    const listed = async () => (await call(list, "GET", { token: operator.token })).body;
    await put("user", { enabled: true });
    expect(await listed()).toMatchObject({ inForce: true });
    await stores.faults.redis.set({ kind: "refuse" });
    expect((await put("user", { enabled: false })).body).toMatchObject({ inForce: false });
    const { inForce, items } = await listed();
    expect(inForce).toBe(false);
    expect(items).toContainEqual(expect.objectContaining({ name: "user", enabled: false }));
    await stores.faults.redis.set(null);
    await put("user", { enabled: true });
    expect(await listed()).toMatchObject({ inForce: true });
  });

  it("stays off while Redis is unavailable or has lost its data, and is written to Redis again", async () => {
    const { accessToken: token } = await aUser();
    await put("user", { enabled: false });
    await stores.redis("FLUSHDB");
    expect(await call(user, "GET", { token })).toMatchObject({ code: "feature_disabled" });
    await stores.settled();
    expect(await stores.redis("HGET", "gate", "flags")).toContain('"user"');
    await stores.faults.redis.set({ kind: "refuse" });
    expect(await call(user, "GET", { token })).toMatchObject({ code: "feature_disabled" });
    await stores.faults.redis.set(null);
    await put("user", { enabled: true });
  });

  it("can be changed with the break-glass token", async () => {
    const { accessToken: token } = await aUser();
    expect((await put("user", { enabled: false }, breakGlassToken)).status).toBe(200);
    expect((await call(user, "GET", { token })).code).toBe("feature_disabled");
    expect((await put("user", { enabled: true }, breakGlassToken)).status).toBe(200);
    expect((await call(user, "GET", { token })).status).toBe(200);
  });

  it("lists in a dry run the affected routes and callers with their recent requests", async () => {
    const { accessToken: token } = await aUser();
    for (let at = 0; at < 3; at += 1) await call(user, "GET", { token });
    await drained(stores);
    const { body } = await put("user", { enabled: false, dryRun: true });
    expect(body.done).toMatch(
      /^Would switch user off\. Every route under \/api\/user\/ answers 503/,
    );
    expect(body.done).toMatch(/in the last 15 minutes: \d+ \(.*\/api\/user \d+/);
    const { requests } = body.detail.routes.find(
      ({ route }: { route: string }) => route === "/api/user",
    );
    expect(requests).toBeGreaterThanOrEqual(3);
    expect(JSON.stringify(body.detail.routes)).not.toContain("/api/auth");
    const auth = await put("auth", { enabled: false, dryRun: true });
    expect(auth.body.done).toContain("Routes under /api/ops/ are not affected");
    await put("dry-feature", { enabled: true, percentage: 25, users: [randomUUID()] });
    const feature = await put("dry-feature", { enabled: false, dryRun: true });
    expect(feature.body.done).toContain("for 25 % of users and 1 named users");
  });

  it("returns 422 for a name that does not exist", async () => {
    await put("stt", { enabled: true });
    const answer = await put("uesr", { enabled: false });
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
    expect(answer.body.errors).toMatchObject([{ pointer: "/name" }]);
    expect(answer.body.errors[0].message).toContain("auth, user");
    expect(answer.body.errors[0].message.match(/\bstt\b/g)).toHaveLength(1);
    expect(await stores.sql("select from flags where name = 'uesr'")).toEqual([]);
  });

  it("exists for each group of routes and cannot be used as a feature flag", async () => {
    const { items } = (await call(list, "GET", { token: operator.token })).body;
    const switches = items.filter(({ kind }: { kind: string }) => kind === "kill_switch");
    expect(switches.map(({ name }: { name: string }) => name)).toEqual(Object.keys(routeGroups));
    expect((await put("auth", { enabled: true, percentage: 10 })).code).toBe("validation_failed");
    expect((await put("Not a name", { enabled: true })).status).toBe(404);
  });

  it("changes nothing in a dry run, and costs a request no extra call", async () => {
    const { accessToken: token } = await aUser();
    expect((await put("user", { enabled: false, dryRun: true })).body.undo).toBeNull();
    await stores.resetCalls();
    expect((await call(user, "GET", { token })).status).toBe(200);
    expect(stores.calls()).toEqual({ redisTrips: 1, redisCommands: 8, postgresCalls: 1 });
  });

  it("does not count the refused requests against rate limits", async () => {
    const [guest, learner, ip] = [await aGuest(), await aUser(), anAddress()];
    await put("stt", { enabled: false });
    await put("auth", { enabled: false });
    await put("user", { enabled: false });
    await stores.settled();
    await stores.liftLimits();
    const body = { email: learner.email, password: "a guess", device: { id: learner.deviceId } };
    const refused = [
      ...(await Promise.all(
        Array.from({ length: 55 }, () =>
          call(transcribe, "POST", { token: guest.accessToken, ip, body: new Uint8Array(1) }),
        ),
      )),
      await call(user, "GET", { token: learner.accessToken, ip }),
      await call(login, "POST", { body, ip }),
      await call(refresh, "POST", { body: { refreshToken: learner.refreshToken }, ip }),
    ];
    expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(["feature_disabled"]));
    await stores.settled();
    expect(await countsLeft()).toEqual([]);

    // Also in Postgres, which counts the strict limits while Redis is unavailable.
    await stores.faults.redis.set({ kind: "refuse" });
    expect((await call(login, "POST", { body, ip })).code).toBe("feature_disabled");
    await stores.settled();
    expect(await stores.sql("select key from rate_limits where used > 0")).toEqual([]);
    // Also in the process, which counts the other limits: this is the first call counted for the session.
    const { headers } = await call(flags, "GET", { token: learner.accessToken, ip });
    expect(headers.get("x-ratelimit-remaining")).toBe("99");
    await stores.faults.redis.set(null);
    for (const name of ["stt", "auth", "user"]) await put(name, { enabled: true });
  });

  /** The counters of all rate limits, except for the operator's own calls. */
  async function countsLeft() {
    const keys = (await stores.redis("KEYS", "rate:*")) as string[];
    const others = keys.filter((key) => !key.includes(operator.sessionId));
    const used = await Promise.all(
      others.map(async (key) => [key, await stores.redis("GET", key).catch(() => "a delay")]),
    );
    return used.filter(([, count]) => count !== "0" && count !== 0);
  }

  it("is not overwritten by an older version that is written later", async () => {
    await put("user", { enabled: true });
    // Makes another change between this one's read of the record and its write.
    let isBetween = false;
    const changeBefore = async (body: unknown) => {
      if (isBetween || !JSON.stringify(body).includes("SADD")) return false;
      isBetween = true;
      await put("user", { enabled: false });
      return false;
    };
    await stores.faults.redis.set({ kind: "latency", ms: 1, match: changeBefore });
    await copyGateToRedis(aContext());
    await stores.faults.redis.set(null);
    expect(isBetween).toBe(true);
    expect(await stores.redis("HGET", "gate", "flags")).toContain('"off":["user"]');
    await put("user", { enabled: true });
  });

  it("follows a database that was restored to an earlier state, at the next tick or rebuild", async () => {
    const [before] = await stores.sql("select version from mirror_versions where name = 'flags'");
    await put("user", { enabled: false });
    await stores.sql(
      "update mirror_versions set version = $1 where name = 'flags'",
      before?.version ?? "",
    );
    await stores.sql("update flags set enabled = true where name = 'user'");
    await copyGateToRedis(aContext());
    expect(await stores.redis("HGET", "gate", "flags")).toContain('"off":[]');
    await put("user", { enabled: false });
    expect(await stores.redis("HGET", "gate", "flags")).toContain('"off":["user"]');
    await put("user", { enabled: true });
  });
});

describe("GET /api/flags", () => {
  it("enables a feature for a stable percentage of users and for named users", async () => {
    const people = await someUsers(8);
    const named = people[0];
    await put("new-cards", { enabled: true, users: [named?.user.id] });
    const has = async () =>
      Promise.all(
        people.map(async ({ accessToken }) => (await getFlags(accessToken)).features["new-cards"]),
      );
    expect(await has()).toEqual(people.map((person) => person === named));
    await put("new-cards", { enabled: true, percentage: 50 });
    const half = await has();
    expect(await has()).toEqual(half);
    await put("new-cards", { enabled: true, percentage: 80 });
    const most = await has();
    expect(most.filter((on, at) => half[at] && !on)).toEqual([]);
    await put("new-cards", { enabled: false });
    expect((await has()).some(Boolean)).toBe(false);
  });

  it("returns only public features without a token, with an ETag", async () => {
    await put("secret-thing", { enabled: true });
    await put("open-thing", { enabled: true, isPublic: true });
    const answer = await call(flags, "GET");
    expect(answer.body.features).toMatchObject({ "open-thing": true });
    expect(answer.body.features).not.toHaveProperty("secret-thing");
    const headers = { "if-none-match": answer.headers.get("etag") ?? "" };
    expect((await call(flags, "GET", { headers })).status).toBe(304);
    await put("open-thing", { enabled: false });
    expect((await call(flags, "GET", { headers })).status).toBe(200);
  });

  it("returns 304 only for the ETag of this caller's own response", async () => {
    await put("mine", { enabled: true });
    const { accessToken: token } = await aUser();
    const tagOf = async (bearer?: string) =>
      (await call(flags, "GET", bearer ? { token: bearer } : {})).headers.get("etag") ?? "";
    const [signedOut, signedIn] = [await tagOf(), await tagOf(token)];
    const read = (tag: string) => call(flags, "GET", { token, headers: { "if-none-match": tag } });
    expect((await read(signedIn)).status).toBe(304);
    const answer = await read(signedOut);
    expect(answer).toMatchObject({ status: 200, body: { features: { mine: true } } });
    expect(answer.headers.get("vary")).toBe("Origin, Authorization");
  });

  it("is deleted with an audit row, and can be created again as it was", async () => {
    const [user1, user2] = [randomUUID(), randomUUID()];
    const change = { percentage: 10, users: [user1, user2], isPublic: true };
    await put("old-cards", { enabled: true, ...change });
    const { accessToken: token } = await aUser();
    expect(await getFlags(token)).toHaveProperty(["features", "old-cards"]);
    const dry = await remove("old-cards", { dryRun: true });
    expect(dry.body.done).toBe(
      "Would delete old-cards, which was on for 10 % and 2 named users, also signed out.",
    );
    expect(await getFlags(token)).toHaveProperty(["features", "old-cards"]);
    expect((await remove("old-cards")).body).toMatchObject({
      done: expect.stringMatching(/^Deleted old-cards, /),
      undo: `npm run ops -- flag set old-cards --percentage 10 --users ${user1},${user2} --public --reason "undo"`,
    });
    expect(await getFlags(token)).not.toHaveProperty(["features", "old-cards"]);
    expect(await stores.redis("HGET", "gate", "flags")).not.toContain("old-cards");
    const rows = await stores.sql(
      "select subject_id, actor_id, reason from audit_log where action = 'flag.deleted'",
    );
    expect(rows).toEqual([
      {
        subject_id: "old-cards:on for 10 % and 2 named users, also signed out",
        actor_id: operator.user.id,
        reason: "a test",
      },
    ]);
    expect((await remove("old-cards")).status).toBe(404);
    expect(await remove("stt")).toMatchObject({ status: 422, code: "validation_failed" });
    expect((await remove("old-cards", {}, breakGlassToken)).code).toBe("forbidden");
  });

  it("returns a command that undoes exactly what was changed", async () => {
    const [one, other] = [randomUUID(), randomUUID()];
    const undo = async (body: object) => (await put("undone", body)).body.undo;
    const line = (text: string) => `npm run ops -- ${text} --reason "undo"`;
    expect(await undo({ enabled: true })).toBe(line("flag off undone"));
    expect(await undo({ enabled: true, users: [one, other] })).toBe(
      line('flag set undone --users ""'),
    );
    expect(await undo({ enabled: true, isPublic: true, users: [one] })).toBe(
      line(`flag set undone --users ${one},${other} --no-public`),
    );
    expect(await undo({ enabled: true, percentage: 10 })).toBe(
      line("flag set undone --percentage 100"),
    );
    expect(await undo({ enabled: false })).toBe(line("flag on undone"));
    expect(await undo({ enabled: true, isPublic: false })).toBe(line("flag off undone"));
  });

  it("records in the audit log for whom a feature is on", async () => {
    await put("greeting", { enabled: true, percentage: 50 });
    await put("greeting", { enabled: true, percentage: 100, isPublic: true });
    await put("greeting", {
      enabled: true,
      percentage: 50,
      isPublic: false,
      users: [randomUUID(), randomUUID()],
    });
    const rows = await stores.sql(
      "select subject_id from audit_log where subject_id like 'greeting:%' order by id",
    );
    expect(rows.map(({ subject_id }) => subject_id)).toEqual([
      "greeting:on for 50 %",
      "greeting:on, also signed out",
      "greeting:on for 50 % and 2 named users",
    ]);
  });

  it("returns 422 for more named users than each request should load", async () => {
    const users = Array.from({ length: 90 }, () => randomUUID());
    const codes = [];
    for (const name of ["one", "two", "three"]) {
      codes.push((await put(name, { enabled: true, users })).code);
    }
    expect(codes).toEqual([undefined, undefined, "validation_failed"]);
  });
});

describe("the rate limit of GET /api/flags", () => {
  useStillClock();

  it("is counted per session for a signed-in caller, not per IP address", async () => {
    const ip = anAddress();
    const [one, other] = await someUsers(2);
    const getStatus = async (token?: string) =>
      (await call(flags, "GET", { ip, ...(token ? { token } : {}) })).status;
    for (let at = 0; at < 100; at += 1) expect(await getStatus(one?.accessToken)).toBe(200);
    expect(await getStatus(one?.accessToken)).toBe(429);
    expect(await getStatus(other?.accessToken)).toBe(200);
    expect(await getStatus()).toBe(200);
  });
});
