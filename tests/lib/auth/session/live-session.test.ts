import { beforeAll, describe, expect, it, vi } from "vitest";
import login from "../../../../api/auth/login.js";
import logout from "../../../../api/auth/logout.js";
import user from "../../../../api/user/index.js";
import type { Fault } from "../../../../dev/fault-proxy.js";
import { writeSessionKey } from "../../../../lib/auth/session/session-keys.js";
import { roundTrip } from "../../../../lib/redis/client.js";
import { call } from "../../../support/call.js";
import { aUser, type Person, password } from "../../../support/people.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();

const read = ({ accessToken }: Person) => call(user, "GET", { token: accessToken });
const exists = ({ sessionId }: Person) => stores.redis("EXISTS", `session:${sessionId}`);

/** Under load, the first sign-in of a process may exceed the time limit for Redis. */
beforeAll(() =>
  vi.waitFor(async () => expect(await exists(await aUser())).toBe(1), {
    timeout: 20_000,
    interval: 500,
  }),
);

describe("a session's key in Redis", () => {
  it("revokes the session permanently when it is deleted by hand", async () => {
    const person = await aUser();
    await stores.redis("DEL", `session:${person.sessionId}`);
    expect(await read(person)).toMatchObject({ status: 401, code: "session_revoked" });
    const [row] = await stores.sql("select * from sessions where id = $1", person.sessionId);
    expect(row).toMatchObject({ revoked_reason: "redis_key_deleted" });
    await stores.redis("FLUSHDB");
    expect(await read(person)).toMatchObject({ status: 401, code: "session_revoked" });
  });

  it("is restored after a flush, so that no session ends", async () => {
    const [person, gone] = [await aUser(), await aUser()];
    await call(logout, "POST", { token: gone.accessToken });
    await stores.redis("FLUSHDB");
    expect((await read(person)).status).toBe(200);
    expect(await exists(person)).toBe(1);
    expect((await read(person)).status).toBe(200);
    expect(await read(gone)).toMatchObject({ status: 401, code: "session_revoked" });
    await stores.redis("DEL", `session:${person.sessionId}`);
    expect(await read(person)).toMatchObject({ status: 401, code: "session_revoked" });
  });

  it("revokes a session created on an empty Redis when it is deleted", async () => {
    await stores.redis("FLUSHDB");
    const person = await aUser();
    await stores.resetCalls();
    await stores.redis("DEL", `session:${person.sessionId}`);
    expect(await read(person)).toMatchObject({ status: 401, code: "session_revoked" });
  });

  it("is restored for many concurrent requests after a flush", async () => {
    const person = await aUser();
    await stores.redis("FLUSHDB");
    const answers = await Promise.all(Array.from({ length: 20 }, () => read(person)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect((await read(person)).status).toBe(200);
  });

  it("is written at the first request when the sign-in could not write it", async () => {
    const { email, deviceId } = await aUser();
    const isKeyWrite = (body: unknown) => JSON.stringify(body).includes("known-session");
    await stores.faults.redis.set({ kind: "reset", match: isKeyWrite });
    const { status, body } = await call(login, "POST", {
      body: { email, password, device: { id: deviceId } },
    });
    expect(status).toBe(200);
    await stores.faults.redis.set(null);
    const person = { ...body, email, deviceId, password } as Person;
    expect(await exists(person)).toBe(0);
    expect((await read(person)).status).toBe(200);
    expect(await exists(person)).toBe(1);
  });

  it("is written although the response was lost", async () => {
    const { email, deviceId } = await aUser();
    const isKeyWrite = (body: unknown) => JSON.stringify(body).includes("known-session");
    await stores.faults.redis.set({ kind: "lose-reply", match: isKeyWrite });
    const { body } = await call(login, "POST", {
      body: { email, password, device: { id: deviceId } },
    });
    await stores.faults.redis.set(null);
    const person = { ...body, email, deviceId, password } as Person;
    expect(await exists(person)).toBe(1);
    expect((await read(person)).status).toBe(200);
  });

  it("is not written again after the session has ended", async () => {
    const person = await aUser();
    await call(logout, "POST", { token: person.accessToken });
    expect(await stores.redis("GET", `known-session:${person.sessionId}`)).toBe("ended");
    const { sessionId: id, user: account } = person;
    const key = { id, userId: account.id, role: account.role, createdAt: new Date() };
    const trip = roundTrip();
    const expiresAt = new Date(Date.now() + 3_600_000);
    await Promise.all([writeSessionKey(trip, { ...key, expiresAt }, new Date()), trip.send()]);
    expect(await exists(person)).toBe(0);
  });

  it("is restored when Redis lost the key in a failover to an older copy", async () => {
    const person = await aUser();
    await stores.redis("DEL", `session:${person.sessionId}`, `known-session:${person.sessionId}`);
    const other = await aUser();
    expect((await read(person)).status).toBe(200);
    expect((await read(other)).status).toBe(200);
  });

  it("does not count as deleted when Redis is flushed during a request", async () => {
    const person = await aUser();
    await stores.redis("DEL", `session:${person.sessionId}`);
    const flushBeforeSecondLook = async (body: unknown) => {
      const text = JSON.stringify(body);
      const isSecondLook = text.includes(person.sessionId) && !text.includes("EVALSHA");
      if (isSecondLook) await stores.redis("FLUSHDB");
      return isSecondLook;
    };
    await stores.faults.redis.set({ kind: "latency", ms: 1, match: flushBeforeSecondLook });
    expect((await read(person)).status).toBe(200);
    await stores.faults.redis.set(null);
    expect((await read(person)).status).toBe(200);
  });

  it.each(["latency", "lose-reply"] as const)(
    "is not restored when a logout happens during the write (%s)",
    async (kind) => {
      const person = await aUser();
      await stores.redis("FLUSHDB");
      const end = "update sessions set revoked_at = now() where id = $1";
      const signOutDuringWrite = async (body: unknown) => {
        const isWrite = JSON.stringify(body).includes("HSET");
        if (isWrite) await stores.sql(end, person.sessionId);
        return isWrite;
      };
      const fault = { ms: 1, match: signOutDuringWrite };
      await stores.faults.redis.set({ kind, ...fault } as Fault);
      expect(await read(person)).toMatchObject({ status: 401, code: "session_revoked" });
      expect(await exists(person)).toBe(0);
    },
  );

  it("is kept when Postgres fails while it is restored", async () => {
    const person = await aUser();
    await stores.redis("FLUSHDB");
    const loseDuringWrite = async (body: unknown) => {
      const isWrite = JSON.stringify(body).includes("HSET");
      if (isWrite) await stores.faults.postgres.set({ kind: "reset" });
      return isWrite;
    };
    await stores.faults.redis.set({ kind: "latency", ms: 1, match: loseDuringWrite });
    expect(await read(person)).toMatchObject({ status: 503, code: "service_unavailable" });
    await stores.faults.redis.set(null);
    await stores.faults.postgres.set(null);
    expect((await read(person)).status).toBe(200);
  });

  it("must belong to the user in the token", async () => {
    const [person, other] = [await aUser(), await aUser()];
    await stores.redis("HSET", `session:${person.sessionId}`, "user", other.user.id);
    expect(await read(person)).toMatchObject({ status: 401, code: "token_invalid" });
  });

  it("expires at its absolute timeout", async () => {
    const person = await aUser();
    await stores.redis("HSET", `session:${person.sessionId}`, "expires", String(Date.now() - 1));
    expect(await read(person)).toMatchObject({ status: 401, code: "session_expired" });
  });
});

describe.each(["refuse", "reset", "garbage", "hang"] as const)("with Redis down (%s)", (kind) => {
  it("serves authenticated reads from the database, and recovers", async () => {
    const [person, gone] = [await aUser(), await aUser()];
    await call(logout, "POST", { token: gone.accessToken });
    await stores.faults.redis.set({ kind });
    for (let round = 0; round < 3; round++) {
      expect((await read(person)).status).toBe(200);
      expect(await read(gone)).toMatchObject({ status: 401, code: "session_revoked" });
    }
    await stores.faults.redis.set(null);
    await expect
      .poll(
        async () => {
          await stores.resetCalls();
          await read(person);
          return stores.calls();
        },
        { timeout: 5000, interval: 250 },
      )
      .toMatchObject({ redisTrips: 1, postgresCalls: 1 });
  });

  it("returns session_expired according to the database", async () => {
    const person = await aUser();
    await stores.sql(
      "update sessions set idle_expires_at = now() - interval '1 s' where id = $1",
      person.sessionId,
    );
    await stores.faults.redis.set({ kind });
    expect(await read(person)).toMatchObject({ status: 401, code: "session_expired" });
  });

  it("still limits failed logins", async () => {
    const { email } = await aUser();
    await stores.faults.redis.set({ kind });
    const statuses = [];
    for (let attempt = 0; attempt < 7; attempt++) {
      const body = { email, password: "not the password" };
      statuses.push((await call(login, "POST", { body, ip: `192.0.2.${kind.length}` })).status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429]);
  });
});

describe.each(["refuse", "reset", "garbage", "hang"] as const)(
  "with Postgres down (%s)",
  (kind) => {
    it("returns 503 with Retry-After within 3 s, never 401, and recovers", async () => {
      const person = await aUser();
      await stores.faults.postgres.set({ kind });
      const body = { email: person.email, password, device: { id: person.deviceId } };
      const startedAt = Date.now();
      const answers = await Promise.all([
        read(person),
        call(login, "POST", { body }),
        call(logout, "POST", { token: person.accessToken }),
      ]);
      expect(Date.now() - startedAt).toBeLessThan(3000);
      for (const answer of answers) {
        expect(answer).toMatchObject({ status: 503, code: "service_unavailable" });
        expect(answer.body.retryable).toBe(true);
        expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
      }
      await stores.faults.postgres.set(null);
      expect((await read(person)).status).toBe(200);
      expect((await call(login, "POST", { body })).status).toBe(200);
    });
  },
);

describe("with both stores down", () => {
  it("returns 503, never 401", async () => {
    const person = await aUser();
    await stores.faults.redis.set({ kind: "refuse" });
    await stores.faults.postgres.set({ kind: "refuse" });
    expect(await read(person)).toMatchObject({ status: 503, code: "service_unavailable" });
  });
});
