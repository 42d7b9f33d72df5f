import { beforeEach, describe, expect, it, vi } from "vitest";
import changePassword from "../../../api/auth/change-password.js";
import login from "../../../api/auth/login.js";
import refresh from "../../../api/auth/refresh.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { useStillClock } from "../../support/clock.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { aBoundUser, anAddress, type Person, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const [secret, next] = [
  "the-secret-of-this-test-of-32-bytes",
  "the-next-secret-of-this-test-of-32",
];
useEnvironment({ JWT_SECRET: secret });
const stores = useStores();
const clock = useStillClock();
let person: Person;
let ip: string;
beforeEach(async () => {
  setEnvironment({ JWT_SECRET: secret });
  person = await aBoundUser(stores);
  ip = anAddress();
});

/** A token of this user with an invalid signature. */
const forged = () => `${person.accessToken.slice(0, -3)}AAA`;
const read = (token: string, from = ip) => call(user, "GET", { token, ip: from });

async function showForged(count: number): Promise<number[]> {
  const statuses: number[] = [];
  while (statuses.length < count) {
    // Few at once, so that Redis responds in time under load.
    const answers = await Promise.all(Array.from({ length: 10 }, () => read(forged())));
    statuses.push(...answers.map(({ status }) => status));
  }
  await stores.settled();
  return statuses;
}
const counted = async () => {
  const keys = (await stores.redis("KEYS", `rate:bad-signatures:ip:${ip}:*`)) as string[];
  return keys[0] === undefined ? 0 : Number(await stores.redis("GET", keys[0]));
};

describe("an IP address that has sent a hundred forged tokens", () => {
  beforeEach(async () => {
    expect(new Set(await showForged(100))).toEqual(new Set([401]));
  });

  it("gets 429 for further forged tokens until the window ends, without any I/O before the response", async () => {
    const expectRefusal = async () => {
      await stores.resetCalls();
      const refused = await read(forged());
      expect(stores.calls()).toEqual({ redisTrips: 0, redisCommands: 0, postgresCalls: 0 });
      expect(refused).toMatchObject({ status: 429, code: "rate_limited" });
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    };
    // Under load, Redis may count a few of the hundred late.
    await vi.waitFor(expectRefusal, { timeout: 15_000, interval: 100 });
    const refreshToken = `${person.refreshToken.slice(0, -3)}AAA`;
    expect((await call(refresh, "POST", { body: { refreshToken }, ip })).status).toBe(429);
    expect((await read(forged(), anAddress())).status).toBe(401);
    clock.advance(5 * 60);
    expect((await read(forged())).status).toBe(401);
  });

  it("is served with valid tokens and may sign in", async () => {
    expect((await read(person.accessToken)).status).toBe(200);
    const { refreshToken, email } = person;
    expect((await call(refresh, "POST", { body: { refreshToken }, ip })).status).toBe(200);
    expect((await call(login, "POST", { body: { email, password }, ip })).status).toBe(200);
  });

  it("still gets token_expired for an expired token", async () => {
    const { accessToken } = person;
    clock.advance(86_400);
    await showForged(100);
    expect((await read(accessToken)).code).toBe("token_expired");
  });

  it("is exempt if it is trusted", async () => {
    setEnvironment({ JWT_SECRET: secret, RATE_LIMIT_TRUSTED_IPS: ip });
    expect((await read(forged())).status).toBe(401);
  });
});

describe("tokens that do not count as forged", () => {
  it("excludes expired tokens", async () => {
    const { accessToken } = person;
    clock.advance(86_400);
    for (let time = 0; time < 3; time++) {
      expect((await read(accessToken)).code).toBe("token_expired");
    }
    await stores.settled();
    expect(await counted()).toBe(0);
  });

  it("excludes tokens of a live session signed with a retired secret, for a few repetitions", async () => {
    setEnvironment({ JWT_SECRET: next });
    const { accessToken, refreshToken } = person;
    for (let time = 0; time < 5; time++) {
      expect((await read(accessToken)).code).toBe("token_invalid");
      const renewed = await call(refresh, "POST", { body: { refreshToken }, ip });
      expect(renewed.code).toBe("token_invalid");
    }
    await stores.settled();
    expect(await counted()).toBe(0);
    await read(accessToken);
    await stores.settled();
    expect(await counted()).toBe(1);
  });

  it("includes tokens of an ended session and tokens with another user's ID", async () => {
    const other = await aBoundUser(stores);
    await stores.sql("update sessions set revoked_at = now() where id = $1", person.sessionId);
    setEnvironment({ JWT_SECRET: next });
    await read(person.accessToken);
    const [head = "", , mac = ""] = other.accessToken.split(".");
    const claims = { sid: other.sessionId, sub: person.user.id };
    await read(`${head}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.${mac}`);
    await stores.settled();
    expect(await counted()).toBe(2);
  });
});

it("counts forged tokens while Redis does not respond", async () => {
  await stores.faults.redis.set({ kind: "refuse" });
  expect(new Set(await showForged(100))).toEqual(new Set([401]));
  expect((await read(forged())).status).toBe(429);
});

it("refuses forged tokens after a hundred while Redis hangs, except concurrent ones", async () => {
  await stores.faults.redis.set({ kind: "hang" });
  const statuses: number[] = [];
  while (statuses.length < 200) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => read(forged())));
    statuses.push(...answers.map(({ status }) => status));
  }
  expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(120);
});

it("does not count forged tokens against the limit of sign-in requests", async () => {
  const body = { currentPassword: "x", newPassword: "y" };
  await call(changePassword, "POST", { token: forged(), ip, body });
  await stores.settled();
  expect(await stores.redis("KEYS", `rate:auth-calls:ip:${ip}:*`)).toEqual([]);
  expect(await counted()).toBe(1);
});
