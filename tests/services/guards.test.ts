import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import login from "../../api/auth/login.js";
import { call } from "../support/call.js";
import { useStillClock } from "../support/clock.js";
import { useHashCount, useRealHashes } from "../support/hashes.js";
import { aBoundUser, password } from "../support/people.js";
import { useStores } from "../support/stores.js";

const stores = useStores();
const clock = useStillClock();
const hashes = useHashCount();
useRealHashes();

let lastNetwork = 0;
const aNetwork = () => `10.88.${++lastNetwork}`;

const attempt = (email: string, ip: string, given = "not the password") =>
  // A login that names a device computes one hash.
  call(login, "POST", { body: { email, password: given, device: { id: randomUUID() } }, ip });

async function tally(answers: Promise<{ status: number }>[]): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const { status } of await Promise.all(answers)) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** Each 401 computed one hash; a 503 computed none and does not count as an attempt. */
async function untilRefused(attempts: () => Promise<{ status: number }>[]): Promise<number> {
  let failed = 0;
  for (;;) {
    const counts = await tally(attempts());
    await stores.settled();
    failed += counts[401] ?? 0;
    if (!counts[401] && !counts[503]) return failed;
  }
}

describe.each<[string, () => Promise<void>]>([
  ["with limits in Redis", async () => {}],
  ["with limits in Postgres, without Redis", () => stores.faults.redis.set({ kind: "refuse" })],
])("parallel password guesses, %s", (_, begin) => {
  let before = 0;
  beforeEach(begin);

  it("compute five hashes for 100 guesses from 100 IP addresses on one account", async () => {
    const email = `guessed-${randomUUID()}@example.com`;
    const network = aNetwork();
    const parallel = () =>
      Array.from({ length: 100 }, (_, host) => attempt(email, `${network}.${host}`));
    expect(await untilRefused(parallel)).toBe(5);
    expect(hashes()).toBe(5);
    for (const seconds of [30, 60]) {
      clock.advance(seconds);
      before = hashes();
      expect(await untilRefused(parallel)).toBe(1);
      expect(hashes()).toBe(before + 1);
    }
  }, 60_000);

  it("compute at most five hashes for 100 guesses from one IP address on one account", async () => {
    const email = `guessed-${randomUUID()}@example.com`;
    const ip = `${aNetwork()}.1`;
    const parallel = () => Array.from({ length: 100 }, () => attempt(email, ip));
    expect(await untilRefused(parallel)).toBeLessThanOrEqual(5);
    expect(hashes()).toBeLessThanOrEqual(5);
  }, 60_000);

  it("compute exactly 100 hashes for guesses from one IP address on 500 accounts", async () => {
    const ip = `${aNetwork()}.1`;
    const run = randomUUID();
    const counts: Record<number, number> = {};
    for (let first = 0; first < 500; first += 10) {
      const wave = Array.from({ length: 10 }, (_, turn) =>
        attempt(`sprayed-${first + turn}-${run}@example.com`, ip, "Summer1!"),
      );
      for (const [status, count] of Object.entries(await tally(wave))) {
        counts[Number(status)] = (counts[Number(status)] ?? 0) + count;
      }
    }
    expect(counts[401]).toBe(100);
    expect(hashes()).toBe(100);
  }, 60_000);

  it("do not lock the owner out on a known device", async () => {
    await stores.faults.redis.set(null);
    const person = await aBoundUser(stores);
    await begin();
    const network = aNetwork();
    const parallel = Array.from({ length: 60 }, (_, host) =>
      attempt(person.email, `${network}.${host}`),
    );
    const { accessToken: token, email } = person;
    await Promise.all(parallel);
    await stores.settled();
    const own = await call(login, "POST", {
      body: { email, password },
      token,
      ip: `${aNetwork()}.1`,
    });
    expect(own.status).toBe(200);
  }, 60_000);
});
