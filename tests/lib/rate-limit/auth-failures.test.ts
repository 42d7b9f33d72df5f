import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import { hashPassword } from "../../../lib/auth/password/password.js";
import { call } from "../../support/call.js";
import { useStillClock } from "../../support/clock.js";
import { setEnvironment } from "../../support/environment.js";
import { useHashCount } from "../../support/hashes.js";
import { aUser, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
useStillClock();
const hashes = useHashCount();
const timeoutMs = 120_000;
const atOnceMax = 4;

const attempt = async (ip: string, email: string, given: string) =>
  (
    await call(login, "POST", {
      // A login that names a device computes one hash.
      body: { email, password: given, device: { id: randomUUID() } },
      ip,
    })
  ).status;

/** Accounts with the same password hash, because hashing takes time. */
async function aClass(size: number): Promise<string[]> {
  const hash = await hashPassword(password);
  const emails = Array.from({ length: size }, () => `pupil-${randomUUID()}@example.com`);
  await stores.sql(
    `insert into users (id, email, password_hash, name)
      select gen_random_uuid(), email, $2, 'Pupil' from jsonb_array_elements_text($1::jsonb) as list (email)`,
    JSON.stringify(emails),
    hash,
  );
  return emails;
}

describe.each<[string, () => Promise<void>]>([
  ["with Redis", async () => {}],
  ["while Redis refuses", () => stores.faults.redis.set({ kind: "refuse" })],
])("failed sign-ins, %s", (mode, begin) => {
  const network = mode === "with Redis" ? "198.18.1" : "198.18.2";

  it(
    "do not block a classroom of 40 behind one IP address, each with one or two typos",
    async () => {
      const pupils = await aClass(40);
      await begin();
      const statuses: number[] = [];
      for (let first = 0; first < pupils.length; first += atOnceMax) {
        const row = pupils.slice(first, first + atOnceMax).map(async (email, seat) => {
          for (let typo = 0; typo <= seat % 2; typo++) {
            expect(await attempt(`${network}.1`, email, "corect horse")).toBe(401);
          }
          statuses.push(await attempt(`${network}.1`, email, password));
        });
        await Promise.all(row);
      }
      expect(statuses).toEqual(Array(40).fill(200));
    },
    timeoutMs,
  );

  it(
    "stop at exactly 100 hashes when one IP address tries a password on 200 accounts",
    async () => {
      await begin();
      const statuses = new Map<number, number>();
      const spray = async (turn: number) => {
        const email = `sprayed-${turn}-${mode}@example.com`;
        const status = await attempt(`${network}.2`, email, "Summer1!");
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      };
      // No more at once than the hash gate runs, since longer waits would be refused.
      for (let first = 0; first < 200; first += atOnceMax) {
        await Promise.all(Array.from({ length: atOnceMax }, (_, seat) => spray(first + seat)));
        await stores.settled();
      }
      expect(hashes()).toBe(100);
      expect(Object.fromEntries(statuses)).toEqual({ 401: 100, 429: 100 });
    },
    timeoutMs,
  );

  it("are limited to five for one account from one IP address", async () => {
    const { email } = await aUser();
    await begin();
    const statuses: number[] = [];
    for (let turn = 0; turn < 7; turn++) {
      statuses.push(await attempt(`${network}.3`, email, "not the password"));
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429]);
  });

  it("are not limited for trusted networks", async () => {
    setEnvironment({ RATE_LIMIT_TRUSTED_IPS: `${network}.0/24` });
    const { email } = await aUser();
    await begin();
    for (let turn = 0; turn < 9; turn++) {
      expect(await attempt(`${network}.4`, email, "not the password")).toBe(401);
    }
    setEnvironment({});
  });
});
