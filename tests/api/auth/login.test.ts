import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { useRealHashes } from "../../support/hashes.js";
import {
  aBoundUser,
  anAddress,
  aUser,
  bindEmail,
  type Person,
  password,
} from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

const credentials = ({ email, deviceId }: Person) => ({
  email,
  password,
  device: { id: deviceId },
});

describe("POST /api/auth/login", () => {
  it("creates another session for the account", async () => {
    const person = await aUser();
    const { status, body } = await call(login, "POST", { body: credentials(person) });
    expect(status).toBe(200);
    expect(body.sessionId).not.toBe(person.sessionId);
    expect(body.user).toEqual(person.user);
    for (const token of [body.accessToken, person.accessToken]) {
      expect((await call(user, "GET", { token })).status).toBe(200);
    }
  });

  it("accepts the address in any letter case and the password in any Unicode normalization form", async () => {
    const email = `zoë-${randomUUID()}@BÜCHER.example`;
    await aBoundUser(stores, { email, password: "caf\u00e9 au lait" });
    const written = { email: ` ${email.toUpperCase()} `, password: "cafe\u0301 au lait" };
    expect((await call(login, "POST", { body: written })).status).toBe(200);
  });

  it("costs at most two Redis round trips and two Postgres calls", async () => {
    const person = await aUser();
    await call(login, "POST", { body: credentials(person) });
    await stores.resetCalls();
    await call(login, "POST", { body: credentials(person) });
    expect(stores.calls()).toMatchObject({ redisTrips: 2, postgresCalls: 2 });
  });

  it("opens the confirmed account, or a claim of its address with the claim's own password", async () => {
    const owner = await aUser();
    await bindEmail(stores, owner);
    const stranger = await aUser({ email: owner.email, password: "the stranger's own" });
    const asOwner = await call(login, "POST", { body: { email: owner.email, password } });
    expect(asOwner.body.user.id).toBe(owner.user.id);
    const asStranger = await call(login, "POST", {
      body: { ...credentials(stranger), email: owner.email, password: "the stranger's own" },
      ip: anAddress(),
    });
    expect(asStranger.body.user.id).toBe(stranger.user.id);
  });

  it("finds a confirmed account by its confirmed address and not by one it claimed earlier", async () => {
    const owner = await aUser();
    const other = await aUser({ email: owner.email, password: "the other one's own" });
    await bindEmail(stores, owner);
    await stores.sql("update users set email = $2 where id = $1", other.user.id, other.user.id);
    const asOwner = await call(login, "POST", { body: { email: owner.email, password } });
    expect(asOwner.body.user.id).toBe(owner.user.id);
    const body = { email: owner.email, password: "the other one's own" };
    expect((await call(login, "POST", { body, ip: anAddress() })).status).toBe(401);
  });

  it("signs in to a claim only from the device that made it", async () => {
    const first = await aUser();
    await aUser({ email: first.email });
    const here = await call(login, "POST", {
      body: { email: first.email, password, device: { id: first.deviceId } },
    });
    expect(here.body.user.id).toBe(first.user.id);
    const elsewhere = await call(login, "POST", {
      body: { email: first.email, password },
      ip: anAddress(),
    });
    expect(elsewhere).toMatchObject({ status: 401, code: "invalid_credentials" });
  });

  it("rehashes the password at login when the hash parameters have changed", async () => {
    const person = await aUser();
    const { hash } = await import("@node-rs/argon2");
    const old = await hash(password, { memoryCost: 8192, timeCost: 1, parallelism: 1 });
    await stores.sql("update users set password_hash = $2 where id = $1", person.user.id, old);
    expect((await call(login, "POST", { body: credentials(person) })).status).toBe(200);
    await stores.resetCalls();
    const [row] = await stores.sql("select password_hash from users where id = $1", person.user.id);
    expect(row?.password_hash).toContain("m=19456,t=2,p=1");
    expect((await call(login, "POST", { body: credentials(person) })).status).toBe(200);
  });

  describe("limits", () => {
    const fail = (email: string, ip: string) =>
      call(login, "POST", { body: { email, password: "not the password" }, ip });

    it("allows five failures of one account from one IP address, then returns 429 with Retry-After", async () => {
      const { email } = await aUser();
      const ip = anAddress();
      for (let attempt = 0; attempt < 5; attempt++) {
        expect((await fail(email, ip)).status).toBe(401);
      }
      const refused = await fail(email.toUpperCase(), ip);
      expect(refused).toMatchObject({ status: 429, code: "rate_limited" });
      const seconds = Number(refused.headers.get("retry-after"));
      expect(seconds).toBeGreaterThan(0);
      expect(seconds).toBeLessThanOrEqual(900);
      expect(refused.headers.get("x-ratelimit-remaining")).toBe("0");
      const other = await aUser();
      expect((await fail(other.email, ip)).status).toBe(401);
    });

    it("does not count a sign-in with the correct password", async () => {
      const person = await aBoundUser(stores);
      const ip = anAddress();
      for (let attempt = 0; attempt < 8; attempt++) {
        expect((await call(login, "POST", { body: credentials(person), ip })).status).toBe(200);
      }
    });

    it("does not count a request against the IP address when the account's limit refuses it", async () => {
      const { email } = await aUser();
      const ip = anAddress();
      for (let attempt = 0; attempt < 9; attempt++) await fail(email, ip);
      await stores.resetCalls();
      const [key = ""] = (await stores.redis("KEYS", `rate:auth-failures:ip:${ip}:*`)) as string[];
      expect(await stores.redis("GET", key)).toBe("5");
    });

    it("lifts the limit at the next request when its keys are deleted", async () => {
      const { email } = await aUser();
      const ip = anAddress();
      for (let attempt = 0; attempt < 6; attempt++) await fail(email, ip);
      expect((await fail(email, ip)).status).toBe(429);
      const [, hash = ""] =
        ((await stores.redis("KEYS", `rate:*:ip-account:${ip}/*`)) as string[])
          .map((key) => /\/([\w-]{22}):/.exec(key))
          .at(0) ?? [];
      const keys = (await stores.redis("KEYS", `rate:*${hash}*`)) as string[];
      expect(keys).toHaveLength(2);
      expect(keys.join()).not.toContain(email);
      await stores.redis("DEL", ...keys);
      expect((await fail(email, ip)).status).toBe(401);
    });

    it("counts a refused body against the IP address and returns 429 at the limit", async () => {
      const ip = anAddress();
      const send = () => call(login, "POST", { body: { email: 1 }, ip });
      expect((await send()).status).toBe(422);
      const [key = ""] = (await stores.redis("KEYS", `rate:auth-calls:ip:${ip}:*`)) as string[];
      expect(await stores.redis("GET", key)).toBe("1");
      await stores.redis("SET", key, "300", "KEEPTTL");
      const refused = await send();
      expect(refused).toMatchObject({ status: 429, code: "rate_limited" });
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    });

    it("does not count a body refused because too many bodies are in memory", async () => {
      const ip = anAddress();
      const slot = Symbol.for("linguamate.unfinishedBodies");
      const shared = globalThis as { [slot]?: { bytes: number } };
      const before = shared[slot];
      shared[slot] = { bytes: 32 * 1024 * 1024 };
      const answer = await call(login, "POST", { body: { email: 1 }, ip });
      shared[slot] = before ?? { bytes: 0 };
      expect(answer).toMatchObject({ status: 503, code: "service_unavailable" });
      expect(answer.headers.get("retry-after")).toBe("20");
      expect(await stores.redis("KEYS", `rate:auth-calls:ip:${ip}:*`)).toEqual([]);
    });

    it("returns 413 for a large body before it is read", async () => {
      const body = JSON.stringify({ email: "a".repeat(17_000) });
      const answer = await call(login, "POST", { body, ip: anAddress() });
      expect(answer).toMatchObject({ status: 413, code: "payload_too_large" });
    });

    it("does not count an attempt that fails with a server error", async () => {
      const person = await aUser();
      const ip = anAddress();
      await stores.faults.postgres.set({ kind: "refuse" });
      for (let attempt = 0; attempt < 6; attempt++) {
        const answer = await call(login, "POST", { body: credentials(person), ip });
        expect(answer.status).toBe(503);
        await stores.settled();
      }
      await stores.faults.postgres.set(null);
      expect((await call(login, "POST", { body: credentials(person), ip })).status).toBe(200);
    });

    describe("while hashes take their time", () => {
      useRealHashes();

      it("does not count an attempt that the limit refused", async () => {
        const person = await aBoundUser(stores);
        const ip = anAddress();
        const send = () => call(login, "POST", { body: credentials(person), ip });
        const statuses = (await Promise.all(Array.from({ length: 12 }, send))).map((a) => a.status);
        expect(statuses).toContain(429);
        await stores.settled();
        expect((await send()).status).toBe(200);
      });
    });

    it("applies the same limits without Redis", async () => {
      const person = await aBoundUser(stores);
      const ip = anAddress();
      await stores.faults.redis.set({ kind: "refuse" });
      const send = () => call(login, "POST", { body: credentials(person), ip });
      for (let attempt = 0; attempt < 8; attempt++) {
        expect((await send()).status).toBe(200);
        await stores.settled();
      }
      for (let attempt = 0; attempt < 5; attempt++) await fail(person.email, ip);
      expect((await send()).status).toBe(429);
    });

    it("counts IPv6 by /64 and an IPv4-mapped address as IPv4", async () => {
      const used = async (network: string) => {
        const [key = ""] = (await stores.redis(
          "KEYS",
          `rate:auth-failures:ip:${network}:*`,
        )) as string[];
        return stores.redis("GET", key);
      };
      const failing = (ip: string) => fail(`nobody-${randomUUID()}@example.com`, ip);
      for (const host of [1, 2, 3]) await failing(`2001:db8:5:6::${host}`);
      await failing("2001:db8:5:6:ffff::9");
      await failing("2001:db8:5:7::1");
      expect(await used("2001:db8:5:6::/64")).toBe("4");
      expect(await used("2001:db8:5:7::/64")).toBe("1");
      const mapped = anAddress();
      await failing(mapped);
      await failing(`::ffff:${mapped}`);
      expect(await used(mapped)).toBe("2");
    });

    it("ignores forwarding headers sent by the client", async () => {
      const { email } = await aUser();
      const ip = anAddress();
      for (let attempt = 0; attempt < 5; attempt++) await fail(email, ip);
      const forged = {
        "x-forwarded-for": "192.0.2.1",
        "x-real-ip": "192.0.2.1",
        "x-client-ip": "192.0.2.1",
        "true-client-ip": "192.0.2.1",
        "cf-connecting-ip": "192.0.2.1",
        forwarded: "for=192.0.2.1",
      };
      const body = { email: (await aUser()).email, password: "not the password" };
      const answer = await call(login, "POST", { body, ip, headers: forged });
      expect(answer.status).toBe(401);
      const counted = (await stores.redis("KEYS", `rate:auth-failures:ip:${ip}:*`)) as string[];
      expect(await stores.redis("GET", counted[0] ?? "")).toBe("6");
      expect(await stores.redis("KEYS", "rate:*192.0.2.1*")).toEqual([]);
      expect(
        (await call(login, "POST", { body: { ...body, email }, ip, headers: forged })).status,
      ).toBe(429);
    });
  });
});
