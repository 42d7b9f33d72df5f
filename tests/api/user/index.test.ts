import { describe, expect, it } from "vitest";
import user from "../../../api/user/index.js";
import type { TokenPair } from "../../../lib/auth/token/token-pair.js";
import { call } from "../../support/call.js";
import { changeConnection } from "../../support/changed-connection.js";
import { aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

describe("GET /api/user", () => {
  it("returns the caller's account", async () => {
    const person = await aUser({
      name: "Grace",
      timeZone: "Europe/Madrid",
      targetLanguage: "es-mx",
    });
    const { status, body, headers } = await call(user, "GET", { token: person.accessToken });
    expect(status).toBe(200);
    expect(body).toEqual(person.user);
    expect(body).toMatchObject({
      email: person.email,
      emailVerified: false,
      name: "Grace",
      timeZone: "Europe/Madrid",
      targetLanguage: "es-MX",
    });
    expect(headers.get("cache-control")).toBe("no-store");
  });

  it("costs one Redis round trip of at most 8 billed commands, including the address limit, and one Postgres call", async () => {
    const { accessToken } = await aUser();
    await call(user, "GET", { token: accessToken });
    await stores.resetCalls();
    await call(user, "GET", { token: accessToken });
    expect(stores.calls()).toEqual({ redisTrips: 1, redisCommands: 8, postgresCalls: 1 });
  });

  it.each([
    ["none", undefined, "token_missing"],
    ["garbage", "garbage", "token_invalid"],
    ["another scheme", "Basic YTpi", "token_invalid"],
  ])(
    "returns 401 for a bad token (%s) without any I/O before the response",
    async (_, header, code) => {
      await stores.resetCalls();
      const headers: Record<string, string> = header ? { authorization: header } : {};
      const pending = call(user, "GET", { headers });
      const answer = await pending;
      const before = stores.calls();
      expect(answer).toMatchObject({ status: 401, code });
      expect(answer.headers.get("www-authenticate")).toContain("Bearer");
      expect(before).toEqual({ redisTrips: 0, redisCommands: 0, postgresCalls: 0 });
    },
  );
});

describe("PATCH /api/user", () => {
  const change = ({ accessToken: token }: TokenPair, body: unknown, headers = {}) =>
    call(user, "PATCH", { token, body, headers });
  const read = async ({ accessToken: token }: TokenPair) =>
    (await call(user, "GET", { token })).body;

  it("changes the given fields only", async () => {
    const [person, other] = [await aUser(), await aUser()];
    const changes = {
      name: "Grace",
      avatarUrl: "https://images.example.com/grace.png",
      nativeLanguage: "EN-us",
      targetLanguage: "es",
      level: "B1",
      goals: ["travel", "work", "travel"],
      interests: [],
      topics: ["food"],
      dailyGoalMinutes: 25,
      timeZone: "Europe/Madrid",
      reminderTime: "07:30",
    };
    const { status, body } = await change(person, changes);
    expect(status).toBe(200);
    expect(body).toEqual({
      ...person.user,
      ...changes,
      nativeLanguage: "en-US",
      goals: ["travel", "work"],
    });
    expect(await read(person)).toEqual(body);
    expect(await read(other)).toEqual(other.user);
    expect((await change(person, { reminderTime: null, avatarUrl: null })).body).toEqual({
      ...body,
      reminderTime: null,
      avatarUrl: null,
    });
  });

  it("costs one Redis round trip and one Postgres call, and writes an audit row without values", async () => {
    const person = await aUser();
    await read(person);
    await stores.resetCalls();
    await change(person, { name: "Grace Hopper" });
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 1 });
    const rows = await stores.sql("select * from audit_log where subject_id = $1", person.user.id);
    expect(rows).toEqual([
      expect.objectContaining({
        actor_kind: "user",
        actor_id: person.user.id,
        action: "user.updated",
        ip_prefix: expect.stringMatching(/\/24$/),
        reason: null,
      }),
    ]);
    expect(JSON.stringify(rows)).not.toContain("Hopper");
  });

  it.each([
    ["A1", "beginner", "A1"],
    ["A2", "beginner", "A2"],
    ["A2", "intermediate", "B1"],
    ["B2", "intermediate", "B2"],
    ["B2", "advanced", "C1"],
    ["C2", "advanced", "C2"],
    ["C2", "beginner", "A1"],
  ])("at level %s accepts the word %s as %s", async (level, word, expected) => {
    const person = await aUser();
    await change(person, { level });
    expect((await change(person, { level: word })).body.level).toBe(expected);
  });

  it("accepts a word as the level when there was none", async () => {
    expect((await change(await aUser(), { level: "advanced" })).body.level).toBe("C1");
  });

  it.each([
    ["an empty body", {}],
    ["an empty name", { name: "  " }],
    ["a long name", { name: "a".repeat(101) }],
    ["a picture over plain HTTP", { avatarUrl: "http://example.com/a.png" }],
    ["a script URL as picture", { avatarUrl: "javascript:alert(1)" }],
    ["a picture with credentials", { avatarUrl: "https://ada:secret@example.com/a.png" }],
    ["a picture URL with an IP address", { avatarUrl: "https://169.254.169.254/" }],
    ["an invalid language tag", { targetLanguage: "Klingon language" }],
    ["a language name", { targetLanguage: "Spanish" }],
    ["a language name with a region", { nativeLanguage: "french-FR" }],
    ["an unknown level", { level: "D1" }],
    ["too many goals", { goals: Array.from({ length: 21 }, (_, n) => `goal ${n}`) }],
    ["a long goal", { goals: ["a".repeat(65)] }],
    ["a goal of zero minutes", { dailyGoalMinutes: 0 }],
    ["a goal with half a minute", { dailyGoalMinutes: 10.5 }],
    ["an unknown time zone", { timeZone: "Mars/Olympus_Mons" }],
    ["an offset as time zone", { timeZone: "+02:00" }],
    ["an invalid time of day", { reminderTime: "24:00" }],
    ["an unknown field", { name: "Grace", nickname: "Amazing" }],
  ])("returns 422 for %s", async (_, body) => {
    const person = await aUser();
    const answer = await change(person, body);
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
    expect(await read(person)).toEqual(person.user);
  });

  it.each([
    ["role", { role: "admin" }],
    ["isPremium", { name: "Grace", isPremium: true }],
    ["email", { email: "grace@example.com" }],
    ["userId", { userId: "00000000-0000-4000-8000-000000000000" }],
  ])("returns 422 for %s and writes a security event", async (field, body) => {
    const person = await aUser();
    const answer = await change(person, body);
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ pointer: `/${field}` }));
    await stores.settled();
    const events = await stores.sql(
      "select event, route, data ->> 'reason' as field from security_events where user_id = $1",
      person.user.id,
    );
    expect(events).toEqual([
      {
        event: "privilege_escalation_attempt",
        route: "/api/user",
        field,
      },
    ]);
    expect(await read(person)).toEqual(person.user);
  });

  describe("changing the time zone", () => {
    const zones = ({ user: { id } }: TokenPair) =>
      stores.sql(
        `select time_zone, previous_time_zone, time_zone_changed_at,
           to_char(time_zone_from at time zone previous_time_zone, 'HH24:MI:SS') as from_time,
           time_zone_from > now() and time_zone_from <= now() + interval '25 hours' as is_next
         from users where id = $1`,
        id,
      );
    const longAgo = ({ user: { id } }: TokenPair, hours: number) =>
      stores.sql(
        `update users set time_zone_changed_at = time_zone_changed_at - cast($2 as interval)
         where id = $1`,
        id,
        `${hours} hours`,
      );

    it.each(["America/Los_Angeles", "Pacific/Auckland", "Asia/Kathmandu"])(
      "applies from the next midnight in %s, the previous zone",
      async (timeZone) => {
        const person = await aUser({ timeZone });
        expect((await change(person, { timeZone: "Europe/Madrid" })).status).toBe(200);
        expect(await zones(person)).toEqual([
          expect.objectContaining({
            time_zone: "Europe/Madrid",
            previous_time_zone: timeZone,
            from_time: "00:00:00",
            is_next: "t",
          }),
        ]);
      },
    );

    it("is allowed once in 20 hours, with Retry-After in the refusal", async () => {
      const person = await aUser({ timeZone: "Europe/Paris" });
      await change(person, { timeZone: "Europe/Madrid" });
      const refused = await change(person, { timeZone: "Asia/Tokyo", name: "Grace" });
      expect(refused).toMatchObject({ status: 409, code: "time_zone_changed_recently" });
      const waitSeconds = Number(refused.headers.get("retry-after"));
      expect(waitSeconds).toBeGreaterThan(19 * 3600);
      expect(waitSeconds).toBeLessThanOrEqual(20 * 3600);
      expect(await read(person)).toMatchObject({ name: "Ada", timeZone: "Europe/Madrid" });
      await longAgo(person, 20);
      const taken = await change(person, { timeZone: "Asia/Tokyo" });
      expect(taken.body.timeZone).toBe("Asia/Tokyo");
    });

    it("can repeat the same zone, and change other fields, at any time", async () => {
      const person = await aUser({ timeZone: "Europe/Paris" });
      await change(person, { timeZone: "Europe/Madrid" });
      const before = await zones(person);
      const again = await change(person, { timeZone: "Europe/Madrid", name: "Grace" });
      expect(again.status).toBe(200);
      expect((await change(person, { name: "Hedy" })).status).toBe(200);
      expect(await zones(person)).toEqual(before);
    });

    it("accepts another spelling of the same zone without a change", async () => {
      const person = await aUser({ timeZone: "europe/paris" });
      expect(person.user.timeZone).toBe("Europe/Paris");
      const before = await zones(person);
      const again = await change(person, { timeZone: "EUROPE/PARIS" });
      expect(again.body.timeZone).toBe("Europe/Paris");
      expect(await zones(person)).toEqual(before);
      expect((await change(person, { timeZone: "Asia/Kolkata" })).body.timeZone).toBe(
        "Asia/Kolkata",
      );
    });

    it("starts from the zone in effect, not from one that never took effect", async () => {
      const person = await aUser({ timeZone: "Europe/Paris" });
      await change(person, { timeZone: "Asia/Tokyo" });
      await longAgo(person, 21);
      await change(person, { timeZone: "America/Lima" });
      expect(await zones(person)).toMatchObject([
        { time_zone: "America/Lima", previous_time_zone: "Europe/Paris" },
      ]);
      const past = "time_zone_from = now() - interval '1 hour'";
      await stores.sql(`update users set ${past} where id = $1`, person.user.id);
      await longAgo(person, 21);
      await change(person, { timeZone: "Asia/Tokyo" });
      expect(await zones(person)).toMatchObject([
        { time_zone: "Asia/Tokyo", previous_time_zone: "America/Lima" },
      ]);
    });

    it("applies from midnight in UTC when Postgres does not know the previous zone", async () => {
      const person = await aUser();
      await stores.sql("update users set time_zone = 'Mars/Base' where id = $1", person.user.id);
      expect((await change(person, { timeZone: "Europe/Madrid" })).status).toBe(200);
      const [row] = await stores.sql(
        `select previous_time_zone, to_char(time_zone_from at time zone 'UTC', 'HH24:MI') as at
         from users where id = $1`,
        person.user.id,
      );
      expect(row).toEqual({ previous_time_zone: "Mars/Base", at: "00:00" });
    });
  });

  it("is done once per Idempotency-Key", async () => {
    const person = await aUser();
    const headers = { "idempotency-key": "change-my-name" };
    const first = await change(person, { name: "Grace" }, headers);
    await change(person, { name: "Hedy" });
    const again = await change(person, { name: "Grace" }, headers);
    expect(first.headers.get("idempotent-replayed")).toBeNull();
    expect(again).toMatchObject({ status: 200, body: { name: "Hedy" } });
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    const other = await change(person, { name: "Edsger" }, headers);
    expect(other).toMatchObject({ status: 422, code: "idempotency_mismatch" });
  });

  it("does not use up the Idempotency-Key when it is refused", async () => {
    const person = await aUser({ timeZone: "Europe/Paris" });
    const headers = { "idempotency-key": "move-to-tokyo" };
    await change(person, { timeZone: "Europe/Madrid" });
    const refused = await change(person, { timeZone: "Asia/Tokyo" }, headers);
    expect(refused.code).toBe("time_zone_changed_recently");
    await stores.sql(
      "update users set time_zone_changed_at = now() - interval '1 day' where id = $1",
      person.user.id,
    );
    const taken = await change(person, { timeZone: "Asia/Tokyo" }, headers);
    expect(taken).toMatchObject({ status: 200, body: { timeZone: "Asia/Tokyo" } });
    expect(taken.headers.get("idempotent-replayed")).toBeNull();
  });

  it("returns 401 without a token and 503 without Postgres", async () => {
    const body = { name: "Grace" };
    expect(await call(user, "PATCH", { body })).toMatchObject({
      status: 401,
      code: "token_missing",
    });
    const person = await aUser();
    await stores.faults.postgres.set({ kind: "refuse" });
    expect(await change(person, body)).toMatchObject({ status: 503, code: "service_unavailable" });
  });

  it.each([{ password: "changed" }, { pathname: "/dropped" }])(
    "returns 503 with Retry-After when Postgres rejects the connection (%o)",
    async (changed) => {
      const person = await aUser();
      changeConnection(changed);
      const answer = await change(person, { name: "Grace" });
      expect(answer).toMatchObject({ status: 503, code: "service_unavailable" });
      expect(answer.headers.get("retry-after")).toBe("5");
    },
  );
});
