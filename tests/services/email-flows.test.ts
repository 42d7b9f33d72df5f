import { randomBytes, randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import confirmChange from "../../api/auth/change-email/confirm.js";
import changeEmail from "../../api/auth/change-email/index.js";
import undo from "../../api/auth/change-email/undo.js";
import changePassword from "../../api/auth/change-password.js";
import forgotPassword from "../../api/auth/forgot-password.js";
import login from "../../api/auth/login.js";
import refresh from "../../api/auth/refresh.js";
import resetPassword from "../../api/auth/reset-password.js";
import verifyEmail from "../../api/auth/verify-email/index.js";
import resend from "../../api/auth/verify-email/resend.js";
import user from "../../api/user/index.js";
import type { TokenPair } from "../../lib/auth/token/token-pair.js";
import { env } from "../../lib/env.js";
import { undoToken } from "../../lib/mail/undo-token.js";
import { type Answer, call } from "../support/call.js";
import { aConfirmedUser, mailedCode, otherCode, queuedMail } from "../support/mailed-codes.js";
import { anAddress, aUser, type Person, password } from "../support/people.js";
import { useStores } from "../support/stores.js";

// Every request must be counted in Redis, however busy the machine is.
const stores = useStores();

const timeout = { timeout: 180_000 };

const atOnce = (count: number, send: (turn: number) => Promise<Answer>) =>
  Promise.all(Array.from({ length: count }, (_, turn) => send(turn)));
const statusesOf = (answers: Answer[]) => answers.map(({ status }) => status).sort();

/** Request a reset code without a mail limit, and return it. */
async function resetCode(email: string): Promise<string> {
  await stores.sql("delete from mail_budgets");
  await call(forgotPassword, "POST", { body: { email }, ip: anAddress() });
  return mailedCode(stores, "reset_password", email);
}
const reset = (email: string, code: string, password: string, key?: string) =>
  call(resetPassword, "POST", {
    body: { email, code, password },
    ip: anAddress(),
    headers: key === undefined ? {} : { "idempotency-key": key },
  });
const signIn = (email: string, password: string) =>
  call(login, "POST", { body: { email, password }, ip: anAddress() });
const codesOf = (email: string) =>
  stores.sql("select * from mail_codes where purpose = 'reset_password' and email = $1", email);
const statusOf = async ({ accessToken: token }: TokenPair) =>
  (await call(user, "GET", { token })).status;

async function claimCode({ accessToken: token, user }: TokenPair): Promise<string> {
  await call(resend, "POST", { token });
  return mailedCode(stores, "verify_email", user.id);
}

async function changeCode({ accessToken: token }: Person, email: string): Promise<string> {
  await call(changeEmail, "POST", { token, body: { email } });
  return mailedCode(stores, "change_email", email);
}

describe("confirming an e-mail address", () => {
  it("binds an address to exactly one of two parallel claims", timeout, async () => {
    for (let round = 0; round < 10; round++) {
      const first = await aUser();
      const claims = [first, await aUser({ email: first.email })];
      const codes = await Promise.all(claims.map(claimCode));
      const answers = await atOnce(2, (turn) =>
        call(verifyEmail, "POST", {
          token: claims[turn]?.accessToken ?? "",
          body: { code: codes[turn] },
        }),
      );
      expect(statusesOf(answers)).toEqual([200, 422]);
      const bound = await stores.sql("select id from users where email = $1", first.email);
      const winner = answers.findIndex(({ status }) => status === 200);
      expect(bound).toEqual([{ id: claims[winner]?.user.id }]);
    }
  });

  it("returns 200 to each of five parallel requests with the right code", async () => {
    const person = await aUser();
    const { accessToken: token } = person;
    const code = await claimCode(person);
    const answers = await atOnce(5, () => call(verifyEmail, "POST", { token, body: { code } }));
    expect(statusesOf(answers)).toEqual([200, 200, 200, 200, 200]);
  });
});

describe("resetting a password", () => {
  it("succeeds for exactly one of 20 parallel requests with the right code", timeout, async () => {
    const { email } = await aConfirmedUser(stores);
    const code = await resetCode(email);
    const words = (turn: number) => `a battery of turn ${turn}`;
    const answers = await atOnce(20, (turn) => reset(email, code, words(turn)));
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    const refused = answers.filter(({ status }) => status !== 204);
    // A request that waits too long for password hashing gets 503.
    const codes = refused.map(({ code }) => code).filter((code) => code !== "service_unavailable");
    expect(codes.every((code) => code === "code_invalid")).toBe(true);
    const winner = answers.findIndex(({ status }) => status === 204);
    expect((await signIn(email, words(winner))).status).toBe(200);
  });

  it(
    "checks at most 10,000 guesses of a code, with parallel guesses from many IP addresses",
    timeout,
    async () => {
      const { email } = await aConfirmedUser(stores);
      const code = await resetCode(email);
      const guess = otherCode(code);
      const words = "a battery that is new";
      await stores.sql("update mail_codes set attempts = 9980 where email = $1", email);
      const answers = await atOnce(40, () => reset(email, guess, words));
      expect(answers.every((answer) => answer.code === "code_invalid")).toBe(true);
      expect((await codesOf(email)).map(({ attempts }) => attempts)).toEqual(["10000"]);
      expect((await reset(email, code, words)).code).toBe("code_invalid");
    },
  );

  it("checks five of 20 parallel guesses from one IP address", timeout, async () => {
    const { email } = await aConfirmedUser(stores);
    const guess = otherCode(await resetCode(email));
    const ip = anAddress();
    const body = { email, code: guess, password: "a battery that is new" };
    const answers = await atOnce(20, () => call(resetPassword, "POST", { body, ip }));
    expect(answers.filter(({ code }) => code === "code_invalid")).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(15);
    expect((await codesOf(email)).map(({ attempts }) => attempts)).toEqual(["5"]);
  });

  it(
    "accepts one of two codes that are sent in parallel for two claims of an address",
    timeout,
    async () => {
      for (let round = 0; round < 10; round++) {
        const claims = [await aUser()];
        const [{ email = "" } = {}] = claims;
        claims.push(await aUser({ email }));
        const codes = [await resetCode(email), await resetCode(email)];
        const answers = await atOnce(2, (turn) =>
          call(resetPassword, "POST", {
            body: {
              email,
              code: codes[turn],
              password: `a battery of turn ${turn}`,
              device: { id: claims[turn]?.deviceId },
            },
            ip: anAddress(),
          }),
        );
        expect(statusesOf(answers)).toEqual([204, 422]);
        const winner = answers.findIndex(({ status }) => status === 204);
        const bound = await stores.sql("select id from users where email = $1", email);
        expect(bound).toEqual([{ id: claims[winner]?.user.id }]);
        expect(await codesOf(email)).toEqual([]);
      }
    },
  );

  it("mails ten codes for 20 parallel requests, three for one IP address", timeout, async () => {
    const ask = (email: string, ip: string) =>
      call(forgotPassword, "POST", { body: { email }, ip });
    const { email } = await aConfirmedUser(stores);
    await atOnce(20, () => ask(email, anAddress()));
    expect(await codesOf(email)).toHaveLength(10);
    const code = await mailedCode(stores, "reset_password", email);
    expect((await reset(email, code, "a battery that is new")).status).toBe(204);

    const other = await aUser();
    const ip = anAddress();
    await atOnce(20, () => ask(other.email, ip));
    expect(await codesOf(other.email)).toHaveLength(3);
  });

  it.each([
    ["with Redis", async () => {}],
    ["while Redis refuses connections", () => stores.faults.redis.set({ kind: "refuse" })],
  ])("checks one of 10 parallel attempts after a delay, %s", timeout, async (_, begin) => {
    const { email } = await aConfirmedUser(stores);
    const code = await resetCode(email);
    await begin();
    const ip = anAddress();
    const words = "a battery that is new";
    const body = { email, code, password: words };
    expect((await call(resetPassword, "POST", { body, ip })).status).toBe(204);
    for (let guess = 0; guess < 5; guess++) await signIn(email, "not the password");
    const guessHere = () =>
      call(login, "POST", { body: { email, password: "not the password" }, ip });
    const answers = await atOnce(10, guessHere);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toEqual([]);
    await stores.faults.redis.set(null);
  });

  it(
    "runs once for five parallel requests with one key, and gives all the same reply",
    timeout,
    async () => {
      const person = await aConfirmedUser(stores);
      const code = await resetCode(person.email);
      const key = randomBytes(16).toString("base64url");
      const answers = await atOnce(5, () =>
        reset(person.email, code, "a battery that is new", key),
      );
      expect(statusesOf(answers)).toEqual([204, 204, 204, 204, 204]);
      const mails = await queuedMail(stores, { userId: person.user.id });
      expect(mails.filter(({ template }) => template === "password_changed")).toHaveLength(1);
    },
  );

  it("revokes all sessions, in Redis and in Postgres", timeout, async () => {
    const person = await aConfirmedUser(stores);
    const others = await Promise.all([1, 2, 3].map(() => signIn(person.email, password)));
    const pairs: TokenPair[] = [person, ...others.map(({ body }) => body)];
    const code = await resetCode(person.email);
    expect((await reset(person.email, code, "a battery that is new")).status).toBe(204);
    const keys = pairs.map(({ sessionId }) => `session:${sessionId}`);
    expect(await stores.redis("EXISTS", ...keys)).toBe(0);
    const live = await stores.sql(
      "select 1 from sessions where user_id = $1 and revoked_at is null",
      person.user.id,
    );
    expect(live).toEqual([]);
    for (const pair of pairs) {
      expect(await statusOf(pair)).toBe(401);
      const { refreshToken } = pair;
      expect((await call(refresh, "POST", { body: { refreshToken } })).status).toBe(401);
    }
  });

  it(
    "leaves no usable session of the 50 parallel logins with the old password",
    timeout,
    async () => {
      const person = await aConfirmedUser(stores);
      let current = password;
      let begun = 0;
      for (let round = 0; round < 50; round++) {
        const code = await resetCode(person.email);
        const next = `a battery of round ${round}`;
        const old = current;
        const signingIn = signIn(person.email, old);
        const isReset = reset(person.email, code, next);
        const usable = async () => {
          const { status, body } = await signingIn;
          if (status !== 200) return [];
          begun++;
          return [await statusOf(body)];
        };
        const [done, statuses] = await Promise.all([isReset, isReset.then(usable)]);
        expect(done.status).toBe(204);
        expect(statuses).not.toContain(200);
        expect((await signIn(person.email, old)).status).toBe(401);
        current = next;
      }
      expect(begun).toBeGreaterThan(0);
    },
  );
});

describe("changing a password", () => {
  it("succeeds for exactly one of two parallel requests", timeout, async () => {
    for (let round = 0; round < 10; round++) {
      const person = await aConfirmedUser(stores);
      const words = [`a battery ${randomUUID()}`, `a battery ${randomUUID()}`];
      const answers = await atOnce(2, (turn) =>
        call(changePassword, "POST", {
          token: person.accessToken,
          body: { currentPassword: password, newPassword: words[turn] },
        }),
      );
      expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
      const winner = answers.findIndex(({ status }) => status === 204);
      expect(["service_unavailable", "invalid_credentials"]).toContain(answers[1 - winner]?.code);
      expect((await signIn(person.email, words[winner] ?? "")).status).toBe(200);
    }
  });
});

describe("changing an e-mail address", () => {
  it(
    "gives an address to exactly one of two accounts that change to it in parallel",
    timeout,
    async () => {
      for (let round = 0; round < 10; round++) {
        const people = [await aConfirmedUser(stores), await aConfirmedUser(stores)];
        const email = `new-${randomUUID()}@example.com`;
        const codes: string[] = [];
        for (const person of people) codes.push(await changeCode(person, email));
        const answers = await atOnce(2, (turn) =>
          call(confirmChange, "POST", {
            token: people[turn]?.accessToken ?? "",
            body: { code: codes[turn] },
          }),
        );
        expect(statusesOf(answers)).toEqual([200, 422]);
      }
    },
  );

  it("accepts a code in exactly one of five parallel requests", async () => {
    const person = await aConfirmedUser(stores);
    const code = await changeCode(person, `new-${randomUUID()}@example.com`);
    const answers = await atOnce(5, () =>
      call(confirmChange, "POST", { token: person.accessToken, body: { code } }),
    );
    expect(statusesOf(answers)).toEqual([200, 422, 422, 422, 422]);
    const changes = await stores.sql(
      "select 1 from email_changes where user_id = $1",
      person.user.id,
    );
    expect(changes).toHaveLength(1);
  });

  it(
    "is undone by one of 20 parallel requests, despite a parallel password change",
    timeout,
    async () => {
      for (let round = 0; round < 5; round++) {
        const person = await aConfirmedUser(stores);
        const { accessToken: token } = person;
        const code = await changeCode(person, `new-${randomUUID()}@example.com`);
        await call(confirmChange, "POST", { token, body: { code } });
        const [change] = await stores.sql(
          "select id from email_changes where user_id = $1",
          person.user.id,
        );
        const body = { token: undoToken(env(), change?.id ?? "") };
        const changing = call(changePassword, "POST", {
          token,
          body: { currentPassword: password, newPassword: "the thief's battery" },
        });
        const answers = await atOnce(20, () => call(undo, "POST", { body, ip: anAddress() }));
        await changing;
        expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
        expect(answers.filter(({ code }) => code === "code_invalid")).toHaveLength(19);
        const [row] = await stores.sql("select * from users where id = $1", person.user.id);
        expect(row).toMatchObject({ email: person.email, password_hash: null });
        expect(await statusOf(person)).toBe(401);
      }
    },
  );
});

describe("parallel requests of all kinds to one account", () => {
  it("never return 500", timeout, async () => {
    for (let round = 0; round < 5; round++) {
      const person = await aConfirmedUser(stores);
      const { accessToken: token, email } = person;
      const target = `new-${randomUUID()}@example.com`;
      const moving = await changeCode(person, target);
      const resetting = await resetCode(email);
      const answers = await Promise.all([
        call(confirmChange, "POST", { token, body: { code: moving } }),
        reset(email, resetting, "a battery that is new"),
        call(forgotPassword, "POST", { body: { email }, ip: anAddress() }),
        call(forgotPassword, "POST", { body: { email: target }, ip: anAddress() }),
        call(changeEmail, "POST", { token, body: { email: `x-${target}` } }),
        call(resend, "POST", { token }),
        signIn(email, password),
        call(changePassword, "POST", {
          token,
          body: { currentPassword: password, newPassword: "a battery that is newer" },
        }),
      ]);
      expect(statusesOf(answers).filter((status) => status === 500)).toEqual([]);
    }
  });
});
