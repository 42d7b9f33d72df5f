import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import login from "../../api/auth/login.js";
import recoveryCodes from "../../api/auth/recovery-codes.js";
import confirm from "../../api/auth/totp/confirm.js";
import totp from "../../api/auth/totp/index.js";
import { call } from "../support/call.js";
import { useEnvironment } from "../support/environment.js";
import { aUser, bindEmail, type Person } from "../support/people.js";
import { authenticator, enrol } from "../support/second-factor.js";
import { useStores } from "../support/stores.js";

const stores = useStores();
/** The callers are trusted, so that the login delay of the account does not apply to them. */
useEnvironment({ RATE_LIMIT_TRUSTED_IPS: "203.0.113.0/24" });

/** The statuses of parallel calls, each from its own IP address. */
async function atOnce(callers: number, send: (ip: string) => Promise<{ status: number }>) {
  const answers = Array.from({ length: callers }, (_, at) => send(`203.0.113.${at + 1}`));
  return (await Promise.all(answers)).map(({ status }) => status);
}

/** Log in, and repeat while password hashing has no capacity (503). */
async function signIn({ email, password }: Person, otp: string | undefined, ip: string) {
  for (;;) {
    const answer = await call(login, "POST", { body: { email, password, otp }, ip });
    if (answer.status !== 503) return answer;
  }
}

const count = (statuses: number[], status: number) =>
  statuses.filter((one) => one === status).length;

describe("parallel use of a second factor", () => {
  it("accepts exactly one of 20 logins with one code of the authenticator app", async () => {
    const person = await aUser();
    const otp = (await enrol(stores, person)).code();
    const statuses = await atOnce(20, (ip) => signIn(person, otp, ip));
    expect([count(statuses, 200), count(statuses, 401)]).toEqual([1, 19]);
  });

  it("accepts exactly one of 20 logins with one recovery code", async () => {
    const person = await aUser();
    const [otp] = (await enrol(stores, person)).recoveryCodes;
    const statuses = await atOnce(20, (ip) => signIn(person, otp, ip));
    expect([count(statuses, 200), count(statuses, 401)]).toEqual([1, 19]);
  });

  it("confirms an enrolment once, with one set of recovery codes", async () => {
    const person = await aUser();
    await bindEmail(stores, person);
    const token = person.accessToken;
    const { body } = await call(totp, "POST", { token });
    const code = authenticator(body.secret).code();
    const statuses = await atOnce(10, () => call(confirm, "POST", { token, body: { code } }));
    expect([count(statuses, 200), count(statuses, 409)]).toEqual([1, 9]);
    expect(await codesOf(person)).toBe(10);
  });

  it("keeps one of several sets of recovery codes created in parallel, and returns it again", async () => {
    const person = await aUser();
    const token = person.accessToken;
    await enrol(stores, person);
    const headers = Array.from({ length: 10 }, () => ({ "idempotency-key": randomUUID() }));
    const renew = (header: Record<string, string> | undefined) =>
      call(recoveryCodes, "POST", { token, ...(header ? { headers: header } : {}) });
    const answers = await Promise.all(headers.map(renew));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(await codesOf(person)).toBe(10);
    const repeated = (await Promise.all(headers.map(renew))).map(({ status }) => status);
    expect([count(repeated, 200), count(repeated, 409)]).toEqual([1, 9]);
  });

  it("creates one secret for one Idempotency-Key", async () => {
    const person = await aUser();
    await bindEmail(stores, person);
    const headers = { "idempotency-key": randomUUID() };
    const token = person.accessToken;
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => call(totp, "POST", { token, headers })),
    );
    expect(new Set(answers.map(({ body }) => body.secret)).size).toBe(1);
  });

  it("leaves no session without the factor when a login runs while it is enabled", async () => {
    for (let round = 0; round < 3; round++) {
      const person = await aUser();
      await bindEmail(stores, person);
      const token = person.accessToken;
      const { body } = await call(totp, "POST", { token });
      const code = authenticator(body.secret).code();
      // The login found no second factor, and then waits to write its session.
      const held = stores.sql(`do $$ begin
        perform from users where id = '${person.user.id}' for update;
        perform pg_sleep(0.7);
      end $$`);
      const [{ status }] = await Promise.all([
        call(confirm, "POST", { token, body: { code } }),
        call(login, "POST", {
          body: { email: person.email, password: person.password },
          ip: `203.0.113.${100 + round}`,
        }),
        held,
      ]);
      expect(status).toBe(200);
      const live = await stores.sql(
        "select id from sessions where user_id = $1 and revoked_at is null",
        person.user.id,
      );
      expect(live).toEqual([{ id: person.sessionId }]);
    }
  });
});

async function codesOf({ user }: Person): Promise<number> {
  const rows = await stores.sql("select 1 from recovery_codes where user_id = $1", user.id);
  return rows.length;
}
