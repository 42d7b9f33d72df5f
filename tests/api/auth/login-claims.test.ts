import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import changeEmail from "../../../api/auth/change-email/index.js";
import forgotPassword from "../../../api/auth/forgot-password.js";
import login from "../../../api/auth/login.js";
import register from "../../../api/auth/register.js";
import resetPassword from "../../../api/auth/reset-password.js";
import verifyEmail from "../../../api/auth/verify-email/index.js";
import resend from "../../../api/auth/verify-email/resend.js";
import user from "../../../api/user/index.js";
import { hashPassword } from "../../../lib/auth/password/password.js";
import { env } from "../../../lib/env.js";
import { accountLimitKey } from "../../../lib/rate-limit/account-limit-key.js";
import { type Answer, type CallOptions, call } from "../../support/call.js";
import { useStillClock } from "../../support/clock.js";
import { useHashCount } from "../../support/hashes.js";
import { anAddress, aUser, bindEmail, type Person } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const clock = useStillClock();
const hashes = useHashCount();
const timeoutMs = 60_000;

const ownersPassword = "the owner's own words";
const strangersPassword = "the stranger's own words";
let ownersHash: string;
beforeAll(async () => {
  ownersHash = await hashPassword(ownersPassword);
});

const anEmail = () => `someone-${randomUUID()}@example.com`;
async function anOwner(): Promise<string> {
  const email = anEmail();
  await stores.sql(
    "insert into users (id, email, password_hash, name) values (gen_random_uuid(), $1, $2, 'Ada')",
    email,
    ownersHash,
  );
  return email;
}
const changed = async (email: string, sql: string) => {
  await stores.sql(sql, email);
  return email;
};

/** The states of an address when it is registered a second time. */
const addresses: Record<string, () => Promise<string>> = {
  free: async () => anEmail(),
  bound: anOwner,
  "bound with a second factor": async () =>
    changed(
      await anOwner(),
      `insert into second_factors (user_id, id, sealed_secret, created_at, confirmed_at)
        select id, gen_random_uuid(), 'sealed', now(), now() from users where email = $1`,
    ),
  suspended: async () =>
    changed(await anOwner(), "update users set suspended_at = now() where email = $1"),
  "pending deletion": async () =>
    changed(await anOwner(), "update users set purge_at = now() where email = $1"),
};

/** The same device as at the registration, another one, or none that the call names. */
const devices = {
  "the device of the registration": (id: string) => [{ id }, { id }],
  "another device": (id: string) => [{ id }, { id: randomUUID() }],
  "no device, after a registration without one": () => [undefined, undefined],
  "no device, after a registration on one": (id: string) => [{ id }, undefined],
} satisfies Record<string, (id: string) => [object | undefined, object | undefined]>;
type DeviceCase = keyof typeof devices;
const opening: DeviceCase[] = [
  "the device of the registration",
  "no device, after a registration without one",
];

const modes: Record<string, () => Promise<void>> = {
  "with Redis": async () => {},
  "while Redis refuses": async () => stores.faults.redis.set({ kind: "refuse" }),
};

/** Without Redis, counts are in Postgres; the password makes no difference there. */
const cases = (mode: string): [name: string, isDelayed: boolean, password: string][] => [
  ["during a delay", true, strangersPassword],
  ["without a delay", false, strangersPassword],
  ...(mode === "with Redis"
    ? ([
        ["during a delay, with a wrong password", true, "not the password"],
        ["without a delay, with a wrong password", false, "not the password"],
      ] satisfies [string, boolean, string][])
    : []),
];

const signUp = (email: string, device?: object, password = strangersPassword) =>
  call(register, "POST", {
    body: { email, password, name: "Stranger", acceptedTerms: true, device },
    ip: anAddress(),
  });
const signIn = (email: string, password: string, device?: object, options: CallOptions = {}) =>
  call(login, "POST", { body: { email, password, device }, ip: anAddress(), ...options });

/** Sets a login delay, as failed sign-ins would, in both stores. */
async function delay(email: string): Promise<void> {
  const key = `rate:account:account:${accountLimitKey(env(), email)}`;
  const until = String(Date.now() + 600_000);
  await stores.redis("HSET", key, "failures", "9", "delayedUntilMs", until);
  await stores.sql(
    `insert into login_delays (key, failures, delayed_until_ms, expires_at_ms, last_reservation)
      values ($1, 9, $2, $2, gen_random_uuid())`,
    key,
    until,
  );
}

/** Everything about a call that the caller can observe or measure. */
async function observe(send: () => Promise<Answer>) {
  await stores.resetCalls();
  const [before, hashesBefore] = [await rows(), hashes()];
  const answer = await send();
  await stores.settled();
  const after = await rows();
  return {
    ...comparable(answer),
    hashes: hashes() - hashesBefore,
    calls: stores.calls(),
    statements: stores.faults.postgres.calls
      .filter(({ body }) => !/drain_state/.test(JSON.stringify(body)))
      .map(({ body }) => statementsIn(body)),
    rows: Object.fromEntries(
      Object.entries(after).map(([table, count]) => [table, Number(count) - Number(before[table])]),
    ),
  };
}
const rows = async () => {
  const tables = [
    "mail_codes",
    "queue_entries",
    "sessions",
    "security_events",
    "audit_log",
    "users",
  ];
  const counts = tables.map((table) => `(select count(*) from ${table}) as ${table}`);
  return (await stores.sql(`select ${counts.join(", ")}`))[0] ?? {};
};
const statementsIn = (body: unknown) => (body as { queries?: unknown[] }).queries?.length ?? 1;

const own = ["id", "email", "sessionId", "accessToken", "refreshToken", "correlationId"];
function comparable({ status, body, headers }: Answer) {
  const text = JSON.stringify(body ?? null, (name, value) => (own.includes(name) ? name : value));
  const visibleHeaders = [...headers].filter(([name]) => name !== "x-correlation-id");
  return { status, body: JSON.parse(text), headers: visibleHeaders };
}

describe.each(Object.keys(modes))("registering an address and then signing in, %s", (mode) => {
  beforeEach(async () => {
    await modes[mode]?.();
    // Opens connections, loads scripts, and lets the breaker skip an unavailable Redis.
    for (let turn = 0; turn < 2; turn++) await signIn(anEmail(), strangersPassword);
  });

  describe.each(Object.keys(devices) as DeviceCase[])("from %s", (from) => {
    describe.each([
      ["with the token of the registration", true],
      ["with no token", false],
    ])("%s", (_, hasToken) => {
      it.each(cases(mode))(
        "does not reveal whether the address belongs to an account: %s",
        async (_name, isDelayed, password) => {
          const outcomes: Record<string, Awaited<ReturnType<typeof observe>>> = {};
          for (const [kind, address] of Object.entries(addresses)) {
            const email = await address();
            const [registered, signingIn] = devices[from](randomUUID());
            const { body } = await signUp(email, registered);
            if (isDelayed) await delay(email);
            outcomes[kind] = await observe(() =>
              signIn(email, password, signingIn, {
                ...(hasToken && { token: body.accessToken }),
              }),
            );
            await stores.liftLimits();
            await stores.sql("delete from rate_limits");
          }
          const opens = opening.includes(from);
          const isRefused = isDelayed && !(hasToken && opens);
          const isRight = password === strangersPassword;
          expect(outcomes.free).toMatchObject({
            status: isRefused ? 429 : opens && isRight ? 200 : 401,
            hashes: isRefused ? 0 : from === "another device" ? 1 : 2,
          });
          for (const kind of Object.keys(addresses)) {
            expect(outcomes[kind], kind).toEqual(outcomes.free);
          }
        },
        timeoutMs,
      );
    });
  });

  it(
    "gives the same responses in all later calls",
    async () => {
      const seenAt: Record<string, unknown[]> = {};
      for (const [kind, address] of Object.entries(addresses)) {
        const [email, device] = [await address(), { id: randomUUID() }];
        const { body: registered } = await signUp(email, device);
        clock.advance(1);
        const again = await signUp(email, device, "a second password");
        const signedIn = await signIn(email, strangersPassword, device);
        const { accessToken: token } = signedIn.body;
        const [code, ip, own] = ["ABCD2345", anAddress(), { token, ip: anAddress() }];
        const answers = [
          again,
          signedIn,
          await call(user, "GET", own),
          await call(resend, "POST", own),
          await call(verifyEmail, "POST", { ...own, body: { code } }),
          await call(forgotPassword, "POST", { body: { email }, ip: anAddress() }),
          await call(resetPassword, "POST", {
            body: { email, code, password: "a third password" },
            ip: anAddress(),
          }),
          await signIn(email, "a second password", device),
          await signIn(email, strangersPassword, device, { token: registered.accessToken }),
        ];
        for (let turn = 0; turn < 4; turn++) {
          answers.push(await signIn(email, strangersPassword, device, { ip }));
        }
        await call(changeEmail, "POST", { ...own, body: { email: anEmail() } });
        answers.push(await call(changeEmail, "POST", { ...own, body: { email } }));
        answers.push(await call(user, "GET", own));
        seenAt[kind] = answers.map(comparable);
        await stores.settled();
        clock.advance(-1);
        await stores.liftLimits();
        await stores.sql("delete from rate_limits");
      }
      for (const kind of Object.keys(addresses)) expect(seenAt[kind], kind).toEqual(seenAt.free);
    },
    timeoutMs,
  );
});

describe("POST /api/auth/login to a claim", () => {
  const claimOf = async (overrides: Record<string, unknown> = {}) => aUser(overrides);
  const deviceOf = ({ deviceId }: Person) => ({ id: deviceId });

  it("opens the claim with the password on the device that made it, and nowhere else", async () => {
    const person = await claimOf();
    const { email, password } = person;
    const opened = await signIn(email, password, deviceOf(person));
    expect(opened.body.user).toEqual(person.user);
    for (const device of [undefined, { id: randomUUID() }]) {
      const refused = await signIn(email, password, device);
      expect(refused).toMatchObject({ status: 401, code: "invalid_credentials" });
    }
  });

  it("opens the newest claim made without a device when the login names no device", async () => {
    const email = anEmail();
    await signUp(email, undefined, "the older one's");
    clock.advance(1);
    const { body: newer } = await signUp(email, undefined, "the newer one's");
    const opened = await signIn(email, "the newer one's");
    expect(opened.body.user.id).toBe(newer.user.id);
    expect((await signIn(email, "the older one's")).status).toBe(401);
  });

  it("opens the device's oldest claim, even if a later claim belongs to an older account", async () => {
    const squatter = await claimOf({ password: "the squatter's own" });
    clock.advance(60);
    const owner = await claimOf();
    const device = deviceOf(owner);
    await stores.sql(
      "update sessions set device_id = $2 where id = $1",
      squatter.sessionId,
      owner.deviceId,
    );
    clock.advance(60);
    await claimOf({ email: owner.email, password: strangersPassword, device });
    const body = { email: owner.email };
    await call(changeEmail, "POST", { token: squatter.accessToken, body });
    for (const password of [strangersPassword, "the squatter's own"]) {
      expect((await signIn(owner.email, password, device)).status).toBe(401);
    }
    const opened = await signIn(owner.email, owner.password, device);
    expect(opened.body.user.id).toBe(owner.user.id);
  });

  it("uses the account's creation time for a claim without a time", async () => {
    const [first, second] = [await claimOf(), await claimOf()];
    await stores.sql(
      "update users set claimed_email = $2, claim_device = $3, claimed_at = null where id = $1",
      second.user.id,
      first.email,
      first.deviceId,
    );
    await stores.sql(
      "update users set created_at = now() - interval '1 year' where id = $1",
      second.user.id,
    );
    const opened = await signIn(first.email, first.password, deviceOf(first));
    expect(opened.body.user.id).toBe(second.user.id);
  });

  it("ties the claim to the device whose session changed the claimed address", async () => {
    const person = await claimOf();
    const elsewhere = { id: randomUUID() };
    await stores.sql(
      "update sessions set device_id = $2 where id = $1",
      person.sessionId,
      elsewhere.id,
    );
    const email = anEmail();
    await call(changeEmail, "POST", { token: person.accessToken, body: { email } });
    expect((await signIn(email, person.password, deviceOf(person))).status).toBe(401);
    expect((await signIn(email, person.password, elsewhere)).status).toBe(200);
  });

  it("signs in to the confirmed account when the password matches both accounts", async () => {
    const owner = await claimOf();
    const stranger = await claimOf({ email: owner.email });
    await bindEmail(stores, owner);
    const opened = await signIn(owner.email, owner.password, deviceOf(stranger));
    expect(opened.body.user.id).toBe(owner.user.id);
    await stores.sql("update users set suspended_at = now() where id = $1", owner.user.id);
    const refused = await signIn(owner.email, owner.password, deviceOf(stranger));
    expect(refused).toMatchObject({ status: 403, code: "account_suspended" });
  });

  it("does not let a claim bypass the delay to guess the confirmed account's password", async () => {
    const owner = await claimOf();
    const stranger = await claimOf({ email: owner.email });
    await bindEmail(stores, owner);
    await delay(owner.email);
    const { accessToken: token } = stranger;
    const opened = await signIn(owner.email, owner.password, deviceOf(stranger), { token });
    expect(opened.body.user.id).toBe(stranger.user.id);
    await stores.sql(
      "update users set password_hash = $2 where id = $1",
      stranger.user.id,
      ownersHash,
    );
    const guess = () => signIn(owner.email, owner.password, deviceOf(stranger), { token });
    expect(await guess()).toMatchObject({ status: 401, code: "invalid_credentials" });
    const asOwner = await signIn(owner.email, owner.password, deviceOf(stranger), {
      token: owner.accessToken,
    });
    expect(asOwner.body.user.id).toBe(owner.user.id);
  });

  it("does not try a mailed code on a claim during a delay", async () => {
    const person = await claimOf();
    await delay(person.email);
    const { accessToken: token } = person;
    const body = { email: person.email, password: "not the password", otp: "ABCD2345" };
    await stores.resetCalls();
    const options = { token, ip: anAddress() };
    const before = hashes();
    await call(login, "POST", { body: { ...body, device: deviceOf(person) }, ...options });
    expect(hashes() - before).toBe(2);
    const asked = stores.faults.postgres.calls.map(({ body: sent }) => JSON.stringify(sent));
    expect(asked.filter((text) => text.includes('update \\"mail_codes\\"'))).toEqual([]);
  });

  describe.each(Object.keys(modes))("%s", (mode) => {
    it.each(["free", "bound"])(
      "counts the sign-in as a failure and does not end a delay: %s",
      async (kind) => {
        await modes[mode]?.();
        const [email, device] = [(await addresses[kind]?.()) ?? "", { id: randomUUID() }];
        await signUp(email, device);
        const statuses: number[] = [];
        for (let turn = 0; turn < 6; turn++) {
          statuses.push((await signIn(email, strangersPassword, device)).status);
          await stores.settled();
        }
        expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
      },
    );
  });

  it("counts the sign-in even when the session could not be created", async () => {
    const person = await claimOf();
    const begins = (body: unknown) => JSON.stringify(body).includes("knows_device");
    await stores.faults.postgres.set({ kind: "reset", match: begins });
    for (let turn = 0; turn < 5; turn++) {
      expect((await signIn(person.email, person.password, deviceOf(person))).status).toBe(503);
      await stores.settled();
    }
    await stores.faults.postgres.set(null);
    expect((await signIn(person.email, person.password, deviceOf(person))).status).toBe(429);
  });
});
