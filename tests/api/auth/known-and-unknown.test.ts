import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it, vi } from "vitest";
import login from "../../../api/auth/login.js";
import register from "../../../api/auth/register.js";
import {
  createHashSemaphore,
  type HashSemaphore,
} from "../../../lib/auth/password/hash-semaphore.js";
import { type Answer, call } from "../../support/call.js";
import { aUser, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

/** Counts the password hashes of this process. */
const gate = createHashSemaphore(4);
let hashes = 0;
const countingGate: HashSemaphore = (hash) => {
  hashes++;
  return gate(hash);
};
Object.assign(globalThis, { [Symbol.for("linguamate.hashGate")]: countingGate });

const anEmail = () => `someone-${randomUUID()}@example.com`;
async function bound(): Promise<string> {
  const { email } = await aUser();
  await stores.sql(
    "update users set email = claimed_email, claimed_email = null where claimed_email = $1",
    email,
  );
  return email;
}
const addresses: Record<string, () => Promise<string>> = {
  unknown: async () => anEmail(),
  bound,
  "claimed once": async () => (await aUser()).email,
  "claimed three times": async () => {
    const email = anEmail();
    for (let claim = 0; claim < 3; claim++) await aUser({ email });
    return email;
  },
  suspended: async () => {
    const email = await bound();
    await stores.sql("update users set suspended_at = now() where email = $1", email);
    return email;
  },
  "pending deletion": async () => {
    const email = await bound();
    await stores.sql("update users set purge_at = now() where email = $1", email);
    return email;
  },
  "bound and claimed": async () => {
    const email = await bound();
    await aUser({ email });
    return email;
  },
};

let lastAddress = 0;

/** The first requests open connections and load the limiter's scripts into Redis. */
beforeAll(async () => {
  const body = { email: anEmail(), password };
  await vi.waitFor(
    async () => {
      await stores.resetCalls();
      await call(login, "POST", { body, ip: `192.0.2.${++lastAddress}` });
      expect(stores.calls()).toMatchObject({ redisTrips: 1 });
    },
    { timeout: 20_000, interval: 500 },
  );
});

/** Everything about a call that the caller can observe or measure. */
async function observe(send: (ip: string) => Promise<Answer>) {
  await stores.resetCalls();
  // Some addresses are used twice, which the per-account limit would reveal.
  await stores.liftLimits();
  const before = await mails();
  hashes = 0;
  const { status, body, headers } = await send(`198.51.100.${++lastAddress}`);
  await stores.settled();
  headers.delete("x-correlation-id");
  const { correlationId: _, ...problem } = body;
  const visibleBody = status < 400 ? keysOf(body) : problem;
  return {
    status,
    visibleBody,
    headers: [...headers].map(([name, value]) => [name, value.replace(/t=\d+/, "t=0")]),
    hashes,
    mails: (await mails()) - before,
    calls: stores.calls(),
    statements: stores.faults.postgres.calls.map(({ body }) => statementsIn(body)),
  };
}
const mails = async () => (await stores.sql("select from queue_entries")).length;
const statementsIn = (body: unknown) => (body as { queries?: unknown[] }).queries?.length ?? 1;
const keysOf = ({ user, ...pair }: Record<string, unknown>) => [
  Object.keys(pair),
  Object.keys(user as object),
];

describe.each([
  ["a wrong password", { password: "not the password" }],
  ["a wrong password and a code", { password: "not the password", otp: "12345678" }],
])("POST /api/auth/login with %s", (_, credentials) => {
  const send = (email: string) =>
    observe((ip) => call(login, "POST", { body: { email, ...credentials }, ip }));

  it.each([...Object.keys(addresses), "malformed but accepted"])(
    "gives the same response for an address that is %s as for an unknown one, at the same cost",
    async (kind) => {
      const expected = await send(anEmail());
      expect(expected).toMatchObject({
        status: 401,
        visibleBody: { code: "invalid_credentials" },
        hashes: 2,
        mails: 1,
      });
      const email = (await addresses[kind]?.()) ?? `no address ${randomUUID()}`;
      expect(await send(email)).toEqual(expected);
    },
  );
});

describe("POST /api/auth/login with the correct password", () => {
  it("gives the same response as for a wrong password when the claims were made on other devices", async () => {
    const send = async (typed: string) => {
      const email = (await addresses["claimed three times"]?.()) ?? "";
      return observe((ip) => call(login, "POST", { body: { email, password: typed }, ip }));
    };
    expect(await send(password)).toEqual(await send("not the password"));
  });

  it.each([
    ["suspended", "account_suspended"],
    ["pending deletion", "deletion_pending"],
  ])(
    "returns 403 with the reason when the account is %s, after the same number of hashes",
    async (kind, code) => {
      const email = (await addresses[kind]?.()) ?? "";
      const answer = await observe((ip) => call(login, "POST", { body: { email, password }, ip }));
      expect(answer).toMatchObject({ status: 403, visibleBody: { code }, hashes: 2, mails: 0 });
    },
  );
});

describe("POST /api/auth/register", () => {
  const send = (email: string) => {
    const body = { email, password, name: "Ada", acceptedTerms: true };
    return observe((ip) => call(register, "POST", { body, ip }));
  };

  it.each(Object.keys(addresses))(
    "gives the same response for an address that is %s as for an unknown one, at the same cost",
    async (kind) => {
      const expected = await send(anEmail());
      expect(expected).toMatchObject({ status: 201, hashes: 1, mails: 1 });
      expect(await send((await addresses[kind]?.()) ?? "")).toEqual(expected);
    },
  );
});
