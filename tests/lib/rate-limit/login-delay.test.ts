import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import { keyedHash } from "../../../lib/crypto/secret.js";
import { env } from "../../../lib/env.js";
import { type CallOptions, call } from "../../support/call.js";
import { useStillClock } from "../../support/clock.js";
import { setEnvironment } from "../../support/environment.js";
import { useHashCount } from "../../support/hashes.js";
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
const clock = useStillClock();
const hashes = useHashCount();

/**
 * Failures are also counted by IP address, so every attempt has a new one. It also has a new device, so
 * that it costs one hash.
 */
const attempt = (email: string, given: string, options: CallOptions = {}) =>
  call(login, "POST", {
    body: { email, password: given, device: { id: randomUUID() } },
    ip: anAddress(),
    ...options,
  });
const guess = (email: string, options?: CallOptions) => attempt(email, "not the password", options);
const signIn = ({ email }: Person, options?: CallOptions) => attempt(email, password, options);

async function guesses(email: string, count: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let turn = 0; turn < count; turn++) statuses.push((await guess(email)).status);
  return statuses;
}

/** The account's five failures, which start the delay. */
async function delay({ email }: { email: string }): Promise<void> {
  expect(await guesses(email, 5)).toEqual(Array(5).fill(401));
}

const waits = [30, 60, 120, 240, 480, 900, 900];

describe.each<[string, () => Promise<void>]>([
  ["with Redis", async () => {}],
  ["while Redis refuses", () => stores.faults.redis.set({ kind: "refuse" })],
])("the login delay of an account, %s", (_, begin) => {
  let person: Person;
  beforeEach(async () => {
    person = await aBoundUser(stores);
    await begin();
  });

  it.each<[string, () => string]>([
    ["an account", () => person.email],
    ["an address without one", () => `nobody-${randomUUID()}@example.com`],
  ])("begins with the fifth wrong password from any address, and grows: %s", async (_, whose) => {
    const email = whose();
    await delay({ email });
    for (const seconds of waits) {
      const refused = await guess(email);
      expect(refused).toMatchObject({ status: 429, code: "rate_limited" });
      expect(refused.headers.get("retry-after")).toBe(String(seconds));
      clock.advance(seconds - 1);
      expect((await guess(email)).headers.get("retry-after")).toBe("1");
      clock.advance(1);
      expect(await guesses(email, 1)).toEqual([401]);
    }
    // One more for the registration.
    expect(hashes()).toBe(5 + waits.length + 1);
  });

  it("refuses the correct password too, without a hash", async () => {
    await delay(person);
    const before = hashes();
    expect((await signIn(person)).status).toBe(429);
    expect(hashes()).toBe(before);
    clock.advance(30);
    expect((await signIn(person)).status).toBe(200);
  });

  it("ends with a successful sign-in", async () => {
    expect(await guesses(person.email, 4)).toEqual([401, 401, 401, 401]);
    expect((await signIn(person)).status).toBe(200);
    await stores.settled();
    await delay(person);
    clock.advance(30);
    expect((await signIn(person)).status).toBe(200);
    await stores.settled();
    await delay(person);
    expect((await guess(person.email)).headers.get("retry-after")).toBe("30");
  });

  it("does not grow with refused attempts", async () => {
    await delay(person);
    expect(await guesses(person.email, 12)).toEqual(Array(12).fill(429));
    await stores.settled();
    clock.advance(30);
    expect(await guesses(person.email, 2)).toEqual([401, 429]);
    expect((await guess(person.email)).headers.get("retry-after")).toBe("60");
  });

  it.each([
    ["a fresh token", 0],
    // Less than 2^31 ms: the embedded Postgres has timers by this clock, and Node.js runs a longer one at once, repeatedly.
    ["an expired token of a session that has ended", 20 * 86_400],
  ])("does not apply to a caller with the account's own token: %s", async (_, seconds) => {
    clock.advance(seconds);
    if (seconds > 0) {
      const ended = "update sessions set idle_expires_at = created_at where id = $1";
      await stores.sql(ended, person.sessionId);
    }
    await delay(person);
    expect((await signIn(person)).status).toBe(429);
    expect((await signIn(person, { token: person.accessToken })).status).toBe(200);
    await stores.settled();
    expect(await guesses(person.email, 1)).toEqual([401]);
  });

  it("applies to a token of another account, with the same response and without a hash", async () => {
    const other = await aUser({ email: person.email });
    await bindEmail(stores, person);
    await stores.settled();
    await delay(person);
    const before = hashes();
    const without = await signIn(person);
    const refused = await signIn(person, { token: other.accessToken });
    expect(refused.status).toBe(429);
    expect(comparable(refused)).toEqual(comparable(without));
    const unknownEmail = `nobody-${randomUUID()}@example.com`;
    expect(hashes()).toBe(before);
    await delay({ email: unknownEmail });
    const unknown = await guess(unknownEmail, { token: other.accessToken });
    expect(comparable(unknown)).toEqual(comparable(without));
    expect(hashes()).toBe(before + 5);
  });

  it("counts attempts with the account's token separately", async () => {
    await delay(person);
    const { accessToken: token } = person;
    const statuses: number[] = [];
    for (let turn = 0; turn < 7; turn++) {
      statuses.push((await guess(person.email, { token })).status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429]);
    expect((await signIn(person, { token })).status).toBe(429);
  });

  it("does not apply to trusted networks", async () => {
    setEnvironment({ RATE_LIMIT_TRUSTED_IPS: "192.0.2.0/24" });
    for (let turn = 0; turn < 8; turn++) {
      expect((await guess(person.email, { ip: "192.0.2.9" })).status).toBe(401);
    }
    expect((await guess(person.email)).status).toBe(429);
    expect((await signIn(person, { ip: "192.0.2.9" })).status).toBe(200);
    setEnvironment({});
  });

  it("counts every notation of an address as one", async () => {
    const writings = [
      person.email.toUpperCase(),
      ` ${person.email}`,
      person.email.replace("@", "＠"),
      person.email.replace("l", "ｌ"),
      person.email.replace("example.com", "EXAMPLE。com"),
    ];
    for (const email of writings) expect((await guess(email)).status).toBe(401);
    expect((await guess(person.email)).status).toBe(429);
  });
});

describe("the login delay of an account", () => {
  it("applies while Redis hangs", async () => {
    const { email } = await aBoundUser(stores);
    await stores.faults.redis.set({ kind: "hang" });
    await delay({ email });
    expect(await guesses(email, 2)).toEqual([429, 429]);
  }, 60_000);

  it("does not count an attempt that fails with a server error", async () => {
    const person = await aBoundUser(stores);
    await stores.faults.postgres.set({ kind: "refuse" });
    for (let turn = 0; turn < 7; turn++) {
      expect((await signIn(person)).status).toBe(503);
      await stores.settled();
    }
    await stores.faults.postgres.set(null);
    await delay(person);
    clock.advance(30);
    await stores.faults.postgres.set({ kind: "refuse" });
    expect((await signIn(person)).status).toBe(503);
    await stores.settled();
    await stores.faults.postgres.set(null);
    expect(await guesses(person.email, 2)).toEqual([401, 429]);
    expect((await guess(person.email)).headers.get("retry-after")).toBe("60");
  });

  it("ends with a successful sign-in although a response from Redis was lost", async () => {
    const person = await aBoundUser(stores);
    const isFirstTrip = (body: unknown) => JSON.stringify(body).includes("auth-calls");
    await stores.faults.redis.set({ kind: "lose-reply", match: isFirstTrip, times: 1 });
    expect((await signIn(person)).status).toBe(200);
    await stores.settled();
    const key = `rate:account:account:${keyedHash(env(), "limited-account", person.email)}`;
    expect(await stores.redis("EXISTS", key)).toBe(0);
  });

  it("is listed by KEYS rate:* without the address, expires in a day, and is lifted by DEL", async () => {
    const person = await aBoundUser(stores);
    const keys = async () => (await stores.redis("KEYS", "rate:account:*")) as string[];
    const before = await keys();
    await delay(person);
    const [key = "", ...more] = (await keys()).filter((found) => !before.includes(found));
    expect(more).toEqual([]);
    expect(key).toMatch(/^rate:account:account:[\w-]{22}$/);
    expect(await stores.redis("HGET", key, "failures")).toBe("5");
    const seconds = Number(await stores.redis("TTL", key));
    expect(seconds).toBeGreaterThan(23 * 3600);
    expect(seconds).toBeLessThanOrEqual(24 * 3600);
    expect((await signIn(person)).status).toBe(429);
    await stores.redis("DEL", key);
    expect((await signIn(person)).status).toBe(200);
  });

  it("costs one Redis round trip and no Postgres call before the response", async () => {
    const person = await aBoundUser(stores);
    await delay(person);
    await stores.resetCalls();
    expect((await signIn(person)).status).toBe(429);
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 0 });
    await stores.settled();
    await stores.resetCalls();
    expect((await signIn(person, { token: person.accessToken })).status).toBe(200);
    // The account and the token's session concurrently, then the new session.
    expect(stores.calls()).toMatchObject({ redisTrips: 2, postgresCalls: 3 });
  });

  it("cannot be bypassed with an invalid token", async () => {
    const person = await aBoundUser(stores);
    const answer = await signIn(person, { token: "eyJhbGciOiJub25lIn0.e30." });
    expect(answer).toMatchObject({ status: 401, code: "token_invalid" });
    expect(hashes()).toBe(1);
  });
});

/** Everything about a response that the caller can observe. */
function comparable({ status, body, headers }: Awaited<ReturnType<typeof call>>) {
  const { correlationId: _, ...problem } = body;
  return { status, problem, headers: [...headers].filter(([name]) => name !== "x-correlation-id") };
}
