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
/** The callers' own, so that the delay of an account, which lets five past, refuses none of twenty. */
useEnvironment({ RATE_LIMIT_TRUSTED_IPS: "203.0.113.0/24" });

/** The call's statuses, each made by the same number of callers at once, from addresses of their own. */
async function atOnce(callers: number, send: (ip: string) => Promise<{ status: number }>) {
  const answers = Array.from({ length: callers }, (_, at) => send(`203.0.113.${at + 1}`));
  return (await Promise.all(answers)).map(({ status }) => status);
}

/** Sign in; a place in the queue for the password's hash may be refused, which says nothing of the code. */
async function signIn({ email, password }: Person, otp: string | undefined, ip: string) {
  for (;;) {
    const answer = await call(login, "POST", { body: { email, password, otp }, ip });
    if (answer.status !== 503) return answer;
  }
}

const count = (statuses: number[], status: number) =>
  statuses.filter((one) => one === status).length;

describe("second factors used at once", () => {
  it("lets exactly one of 20 logins in with one code of the authenticator app", async () => {
    const person = await aUser();
    const otp = (await enrol(stores, person)).code();
    const statuses = await atOnce(20, (ip) => signIn(person, otp, ip));
    expect([count(statuses, 200), count(statuses, 401)]).toEqual([1, 19]);
  });

  it("lets exactly one of 20 logins in with one recovery code", async () => {
    const person = await aUser();
    const [otp] = (await enrol(stores, person)).recoveryCodes;
    const statuses = await atOnce(20, (ip) => signIn(person, otp, ip));
    expect([count(statuses, 200), count(statuses, 401)]).toEqual([1, 19]);
  });

  it("confirms one enrolment once, with one set of recovery codes", async () => {
    const person = await aUser();
    await bindEmail(stores, person);
    const token = person.accessToken;
    const { body } = await call(totp, "POST", { token });
    const code = authenticator(body.secret).code();
    const statuses = await atOnce(10, () => call(confirm, "POST", { token, body: { code } }));
    expect([count(statuses, 200), count(statuses, 409)]).toEqual([1, 9]);
    expect(await codesOf(person)).toBe(10);
  });

  it("leaves one set of recovery codes when several are made at once, and shows it", async () => {
    const person = await aUser();
    const token = person.accessToken;
    await enrol(stores, person);
    const headers = Array.from({ length: 10 }, () => ({ "idempotency-key": randomUUID() }));
    const renew = (header: Record<string, string> | undefined) =>
      call(recoveryCodes, "POST", { token, ...(header ? { headers: header } : {}) });
    const answers = await Promise.all(headers.map(renew));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(await codesOf(person)).toBe(10);
    const shownAgain = (await Promise.all(headers.map(renew))).map(({ status }) => status);
    expect([count(shownAgain, 200), count(shownAgain, 409)]).toEqual([1, 9]);
  });

  it("makes one secret for one Idempotency-Key", async () => {
    const person = await aUser();
    await bindEmail(stores, person);
    const headers = { "idempotency-key": randomUUID() };
    const token = person.accessToken;
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => call(totp, "POST", { token, headers })),
    );
    expect(new Set(answers.map(({ body }) => body.secret)).size).toBe(1);
  });

  it("leaves no session without the factor when somebody signs in as it is turned on", async () => {
    for (let round = 0; round < 3; round++) {
      const person = await aUser();
      await bindEmail(stores, person);
      const token = person.accessToken;
      const { body } = await call(totp, "POST", { token });
      const code = authenticator(body.secret).code();
      // The login waits to write its session, when it has found no factor to ask for.
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
