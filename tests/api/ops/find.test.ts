import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import forgotPassword from "../../../api/auth/forgot-password.js";
import guests from "../../../api/auth/guest.js";
import login from "../../../api/auth/login.js";
import resetPassword from "../../../api/auth/reset-password.js";
import blocks from "../../../api/ops/blocks/index.js";
import find from "../../../api/ops/find.js";
import suppressions from "../../../api/ops/mail-suppressions/index.js";
import revocations from "../../../api/ops/revocations.js";
import user from "../../../api/user/index.js";
import { env } from "../../../lib/env.js";
import { addressHash } from "../../../lib/mail/address-hash.js";
import { deliveredTo } from "../../../lib/mail/suppression.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { drained } from "../../support/drained.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { anOperator, type OperatorPerson, operate } from "../../support/operators.js";
import { aBoundUser, anAddress, aUser, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const logs = useLogLines();
useEnvironment();

let operator: OperatorPerson;
beforeAll(async () => {
  operator = await anOperator(stores);
});

const block = (kind: string, value: string) =>
  operate(blocks, "POST", operator.token, { kind, value, ttlSeconds: 3600 });
const lookUp = (q: string) => call(find, "POST", { token: operator.token, body: { q } });

describe("POST /api/ops/find", () => {
  it("finds an account by its ID and by its address, which the response does not contain", async () => {
    const { user, email } = await aBoundUser(stores);
    const byId = await lookUp(user.id);
    const byEmail = await lookUp(`  ${email.toUpperCase()} `);
    expect(byId.body.accounts).toEqual(byEmail.body.accounts);
    expect(byId.body.lookedUpAs).toEqual(["userId", "correlationId"]);
    expect(byId.body.accounts).toEqual([
      expect.objectContaining({
        id: user.id,
        email: "l***@example.com",
        emailConfirmed: true,
        role: "user",
        state: "active",
        secondFactor: false,
        liveSessions: 1,
      }),
    ]);
    expect(JSON.stringify(byEmail.body)).not.toContain(email);
    expect(logs.written().join("")).not.toContain(email);
  });

  it("does not count sessions that expired or ended with all others", async () => {
    const [aged, idle, swept] = [await aUser(), await aUser(), await aUser()];
    const end = (change: string, { sessionId }: { sessionId: string }) =>
      stores.sql(`update sessions set ${change} where id = $1`, sessionId);
    await end("expires_at = now() - interval '1 second'", aged);
    await end("idle_expires_at = now() - interval '1 second'", idle);
    // Older than any time at which all sessions were revoked.
    await end("created_at = created_at - interval '100 years'", swept);
    for (const { user } of [aged, idle, swept]) {
      expect((await lookUp(user.id)).body.accounts).toMatchObject([{ liveSessions: 0 }]);
    }
  });

  it("finds accounts with an unconfirmed address and marks them", async () => {
    const { email, user } = await aUser();
    const { body } = await lookUp(email);
    expect(body.accounts).toMatchObject([{ id: user.id, emailConfirmed: false }]);
  });

  it("finds an account by the address that it had before a thief changed it, until that is undone", async () => {
    const { email, user } = await aBoundUser(stores);
    const thief = `thief-${randomUUID()}@example.com`;
    await stores.sql("update users set email = $1 where id = $2", thief, user.id);
    await stores.sql(
      `insert into email_changes (id, user_id, old_email, created_at, expires_at)
       values (gen_random_uuid(), $1, $2, '2026-01-31T08:00:00Z', now() + interval '7 days')`,
      user.id,
      email,
    );
    const [account] = (await lookUp(email)).body.accounts;
    expect(account).toMatchObject({
      id: user.id,
      email: "t***@example.com",
      addressChange: { at: "2026-01-31T08:00:00.000Z", isLookedUp: true },
    });
    expect((await lookUp(user.id)).body.accounts).toMatchObject([
      { addressChange: { isLookedUp: false } },
    ]);
    // No change acts on an account by an address that it no longer has.
    expect((await operate(revocations, "POST", operator.token, { user: email })).status).toBe(404);
    await stores.sql("update email_changes set undone_at = now() where user_id = $1", user.id);
    expect((await lookUp(email)).body.accounts).toEqual([]);
  });

  it("shows which accounts were entered from an address, however many guesses failed", async () => {
    const [entered, other] = [await aBoundUser(stores), await aBoundUser(stores)];
    const ip = anAddress();
    const credentials = { email: entered.email, password };
    expect((await call(login, "POST", { body: credentials, ip })).status).toBe(200);
    for (let guess = 0; guess < 2; guess += 1) {
      await call(login, "POST", { body: { email: other.email, password: "a guess" }, ip });
    }
    await call(guests, "POST", { ip });
    await stores.settled();
    const { body } = await call(find, "POST", {
      token: operator.token,
      body: { q: ip, limit: 1 },
    });
    expect(body.cut).toContain("securityEvents");
    const found = { id: entered.user.id, email: "l***@example.com", signIns: 1, liveSessions: 1 };
    expect(body.entered).toMatchObject([found]);
    await operate(revocations, "POST", operator.token, { user: entered.user.id });
    expect((await lookUp(ip)).body.entered).toMatchObject([{ signIns: 1, liveSessions: 0 }]);
  });

  it("finds a user's recent requests, and one request by its correlation ID", async () => {
    const { user: person, accessToken: token } = await aUser();
    await call(user, "GET", { token, headers: { "x-correlation-id": "found-by-its-id" } });
    await stores.settled();
    const request = { route: "/api/user", status: 200, correlationId: "found-by-its-id" };
    expect((await lookUp(person.id)).body.requests[0]).toMatchObject(request);
    expect((await lookUp("found-by-its-id")).body.requests).toMatchObject([request]);
  });

  it("drains events first, and says up to which time it found them", async () => {
    const before = Date.now();
    await call(user, "GET", { headers: { "x-correlation-id": "a-fresh-request" } });
    await stores.settled();
    const { body } = await lookUp("a-fresh-request");
    expect(body.requests).toHaveLength(1);
    // An event can be up to a second on its way.
    expect(Date.parse(body.eventsUntil)).toBeGreaterThan(before - 1000);
    expect(Date.parse(body.eventsUntil)).toBeLessThanOrEqual(Date.now());
  });

  it("finds what was drained before when Redis does not answer", async () => {
    await call(user, "GET", { headers: { "x-correlation-id": "drained-before" } });
    await drained(stores);
    const { eventsUntil } = (await lookUp("drained-before")).body;
    await stores.faults.redis.set({ kind: "refuse" });
    const { status, body } = await lookUp("drained-before");
    await stores.faults.redis.set(null);
    expect(status).toBe(200);
    expect(body.requests).toHaveLength(1);
    expect(body).toMatchObject({ eventsUntil, redisAnswered: false });
    expect(logs.read("find_undrained")).toHaveLength(1);
  });

  it("returns at most `limit` rows of each list, and names the lists with more", async () => {
    const ip = anAddress();
    for (let time = 0; time < 3; time++) {
      await call(login, "POST", { body: { email: "nobody@example.com", password: "wrong" }, ip });
    }
    await stores.settled();
    const at = (limit: number) =>
      call(find, "POST", { token: operator.token, body: { q: ip, limit } });
    const { body } = await at(2);
    expect(body.requests).toHaveLength(2);
    expect(body.cut).toContain("requests");
    expect(body.cut).toContain("securityEvents");
    expect((await at(3)).body.cut).toEqual([]);
    expect((await at(501)).code).toBe("validation_failed");
  });

  it("finds the account that was signed in to a request, not one that it only names", async () => {
    const person = await aBoundUser(stores);
    const victim = await aBoundUser(stores);
    const headers = { "x-correlation-id": "signed-in-request" };
    const { accessToken: token } = person;
    await call(user, "PATCH", { token, headers, body: { name: "Grace" } });
    await call(login, "POST", { body: { email: victim.email, password: "wrong" }, headers });
    await stores.settled();
    const { body } = await lookUp("signed-in-request");
    expect(body.accounts).toMatchObject([{ id: person.user.id }]);
    expect(body.requests).toHaveLength(2);
    const stranger = { "x-correlation-id": "a-stranger" };
    await call(login, "POST", { body: { email: victim.email, password: "no" }, headers: stranger });
    await stores.settled();
    expect((await lookUp("a-stranger")).body.accounts).toEqual([]);
  });

  it("lists the mails to a person that wait or failed, and the last delivery", async () => {
    const { user, email } = await aBoundUser(stores);
    await stores.sql("delete from queue_entries");
    expect((await lookUp(user.id)).body).toMatchObject({
      queuedMails: [],
      lastMailDeliveredAt: null,
    });
    const queue = (minute: number, template: string, to: object, more: string) =>
      stores.sql(
        `insert into queue_entries (id, kind, payload, correlation_id, created_at, expires_at, ${more.split("=")[0]})
         values (gen_random_uuid(), 'mail', $1, 'c', $2, now() + interval '1 day', ${more.split("=")[1]})`,
        JSON.stringify({ template, codeId: "secret", to }),
        `2026-01-31T08:0${minute}:00Z`,
      );
    await queue(1, "password_changed", { userId: user.id }, "dead_at=now()");
    await queue(2, "reset_password", { email }, "attempts=3");
    await queue(3, "reset_password", { email }, "send=false");
    await queue(4, "reset_password", { email: `other-${email}` }, "attempts=0");
    await stores.sql(
      "update queue_entries set last_error = 'status_422' where dead_at is not null",
    );
    const at = new Date("2026-01-31T07:00:00Z");
    await aContext().db.batch(deliveredTo(aContext(), email, at));
    for (const q of [user.id, email]) {
      const { body } = await lookUp(q);
      // Not the one that is never sent.
      expect(body.queuedMails).toMatchObject([
        {
          at: "2026-01-31T08:02:00.000Z",
          template: "reset_password",
          state: "waiting",
          attempts: 3,
        },
        { template: "password_changed", state: "failed", lastError: "status_422" },
      ]);
      expect(body.lastMailDeliveredAt).toBe(at.toISOString());
      expect(JSON.stringify(body)).not.toMatch(/secret|other-/);
    }
    await stores.sql("delete from queue_entries");
  });

  it("says that mail to an address is suppressed", async () => {
    const { email } = await aBoundUser(stores);
    expect((await lookUp(email)).body.mailSuppression).toBeNull();
    await operate(suppressions, "POST", operator.token, { email });
    expect((await lookUp(email)).body.mailSuppression).toMatchObject({ reason: "complained" });
  });

  it("finds the account of a session", async () => {
    const { sessionId, user } = await aUser();
    expect((await lookUp(sessionId)).body.accounts).toMatchObject([{ id: user.id }]);
  });

  it("finds the security events of an IP address", async () => {
    const { email } = await aBoundUser(stores);
    const ip = anAddress();
    const failed = await call(login, "POST", { body: { email, password: "wrong" }, ip });
    await stores.settled();
    const { body } = await lookUp(ip);
    expect(body.lookedUpAs).toEqual(["ip"]);
    expect(body.securityEvents).toMatchObject([
      { event: "login_failed", correlationId: failed.headers.get("x-correlation-id"), ip },
    ]);
  });

  it("finds the failed sign-ins of an account by its address and its ID, also from before a data key was set", async () => {
    const { user, email } = await aBoundUser(stores);
    const guess = (route: typeof login, body: object) =>
      call(route, "POST", { body: { email, ...body }, ip: anAddress() });
    await guess(login, { password: "wrong" });
    setEnvironment({ DATA_KEY: "the-data-key-of-the-tests-of-32-bytes" });
    await guess(login, { password: "wrong" });
    await guess(resetPassword, { code: "AAAAAAAA", password: "another battery" });
    await stores.settled();
    for (const q of [email, user.id]) {
      const { securityEvents } = (await lookUp(q)).body;
      expect(securityEvents).toHaveLength(3);
      expect(securityEvents).toMatchObject([
        { event: "login_failed", route: "/api/auth/reset-password" },
        { event: "login_failed", accountId: user.id },
        { event: "login_failed", accountId: user.id },
      ]);
    }
  });

  it("finds failed sign-ins to an address without an account, and by the hash that the events show", async () => {
    const email = `nobody-${randomUUID()}@example.com`;
    const ip = anAddress();
    await call(login, "POST", { body: { email, password: "wrong" }, ip });
    await stores.settled();
    const { accounts, securityEvents } = (await lookUp(email)).body;
    expect(accounts).toEqual([]);
    expect(securityEvents).toMatchObject([{ event: "login_failed", ip, accountId: null }]);
    const { account } = securityEvents[0].data;
    expect((await lookUp(account)).body.securityEvents).toEqual(securityEvents);
  });

  it("names the accounts that an IP address tried to sign in to", async () => {
    const victims = [await aBoundUser(stores), await aBoundUser(stores)];
    const ip = anAddress();
    for (const { email } of victims) {
      await call(login, "POST", { body: { email, password: "wrong" }, ip });
    }
    await stores.settled();
    const events: { accountId: string }[] = (await lookUp(ip)).body.securityEvents;
    expect(events.map(({ accountId }) => accountId)).toEqual(
      victims.map(({ user }) => user.id).reverse(),
    );
  });

  it("says how much of the mail limits of an address is used, and when a mail is allowed again", async () => {
    const { email, user } = await aBoundUser(stores);
    const ip = anAddress();
    expect((await lookUp(email)).body.mailBudgets).toEqual([]);
    for (let time = 0; time < 3; time++) {
      await call(forgotPassword, "POST", { body: { email }, ip });
    }
    await stores.settled();
    const reset = { budget: "reset mails per hour", used: 3, max: 10, fullUntil: null };
    for (const q of [email, user.id]) expect((await lookUp(q)).body.mailBudgets).toEqual([reset]);
    const [full] = (await lookUp(ip)).body.mailBudgets;
    expect(full).toMatchObject({ budget: "reset mails per hour", used: 3, max: 3 });
    expect(Date.parse(full.fullUntil) - Date.now()).toBeGreaterThan(55 * 60_000);
    await stores.sql(
      `insert into mail_budgets values ($1, array[now() - interval '2 hours',
        now() - interval '50 minutes', now() - interval '40 minutes', now() - interval '30 minutes'], now())`,
      addressHash(env(), email),
    );
    const { mailBudgets } = (await lookUp(email)).body;
    expect(mailBudgets).toEqual([
      { budget: "mails per hour", used: 3, max: 3, fullUntil: expect.any(String) },
      { budget: "mails per day", used: 4, max: 10, fullUntil: null },
      reset,
    ]);
    const minutes = (Date.parse(mailBudgets[0].fullUntil) - Date.now()) / 60_000;
    expect(minutes).toBeGreaterThan(5);
    expect(minutes).toBeLessThanOrEqual(10);
  });

  it("finds the block of an account and returns its state as blocked", async () => {
    const learner = await aBoundUser(stores);
    const guest = await call(guests, "POST", { body: {} });
    for (const [q, id, before] of [
      [learner.email, learner.user.id, "active"],
      [guest.body.user.id, guest.body.user.id, "guest"],
    ]) {
      expect((await lookUp(q)).body).toMatchObject({ accounts: [{ state: before }], blocks: [] });
      const set = await block("user", id);
      const found = (await lookUp(q)).body;
      expect(found.accounts).toMatchObject([{ id, state: "blocked" }]);
      expect(found.blocks).toEqual([
        expect.objectContaining({
          id: set.body.detail.id,
          kind: "user",
          value: `user:${id}`,
          reason: "a test",
        }),
      ]);
      await stores.sql(
        "update blocks set expires_at = now() - interval '1 second' where id = $1",
        set.body.detail.id,
      );
      expect((await lookUp(q)).body).toMatchObject({ accounts: [{ state: before }], blocks: [] });
    }
  });

  it("finds the blocks of an IP address and of the networks that contain it", async () => {
    const set = [await block("ip", "198.18.3.4"), await block("cidr", "198.18.0.0/16")];
    await block("ip", "198.18.3.5");
    const { body } = await lookUp("198.18.3.4");
    expect(body.blocks.map(({ id }: { id: string }) => id)).toEqual(
      set.map((answer) => answer.body.detail.id).reverse(),
    );
    expect(body.blocks[1].value).toBe("198.18.3.4/32");
    expect((await lookUp("198.19.3.4")).body.blocks).toEqual([]);
  });

  it("finds audit rows and security events by a correlation ID, with the reason", async () => {
    const { user } = await aUser();
    const revoked = await operate(revocations, "POST", operator.token, { user: user.id });
    await stores.settled();
    const { body } = await lookUp(revoked.headers.get("x-correlation-id") ?? "");
    expect(body.audit).toMatchObject([
      {
        action: "sessions.revoked",
        actor: `operator ${operator.user.id}`,
        subjectId: user.id,
        reason: "a test",
      },
    ]);
    expect(body.securityEvents).toMatchObject([{ event: "admin_action" }]);
    expect((await lookUp(user.id)).body.audit).toMatchObject(body.audit);
  });

  it("returns empty lists for an unknown ID, and 422 for unsupported input", async () => {
    const nothing = { accounts: [], securityEvents: [], audit: [] };
    expect((await lookUp(randomUUID())).body).toMatchObject(nothing);
    for (const q of ["not an id!", "a@b", "x".repeat(65)]) {
      expect(await lookUp(q)).toMatchObject({ status: 422, code: "validation_failed" });
    }
  });
});
