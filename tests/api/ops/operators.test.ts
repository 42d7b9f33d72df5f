import { beforeEach, describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import totp from "../../../api/auth/totp/index.js";
import blocks from "../../../api/ops/blocks/index.js";
import operatorTokens from "../../../api/ops/operator-tokens/index.js";
import operators from "../../../api/ops/operators/index.js";
import removals from "../../../api/ops/operators/removals.js";
import top from "../../../api/ops/rate-limits/top.js";
import secondFactorRemovals from "../../../api/ops/users/second-factor-removals.js";
import suspension from "../../../api/ops/users/suspension.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";
import { useMailbox } from "../../support/mailbox.js";
import { anOperator, breakGlassToken, demoteOperators, operate } from "../../support/operators.js";
import { aBoundUser, aGuest, anAddress, aUser, password } from "../../support/people.js";
import { enrol } from "../../support/second-factor.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const mailbox = useMailbox();
useEnvironment({ OPS_TOKEN: breakGlassToken });
beforeEach(() => demoteOperators(stores));

async function roleOf(userId: string) {
  const [row] = await stores.sql("select role from users where id = $1", userId);
  return row?.role;
}

async function auditOf(correlationId: string | null) {
  return stores.sql(
    "select action, actor_kind, actor_id, subject_id, reason from audit_log where correlation_id = $1 order by id",
    correlationId,
  );
}

describe("POST /api/ops/operators", () => {
  it("grants the operator role, which applies after a sign-in with a second factor", async () => {
    const admin = await anOperator(stores, "admin");
    const person = await aBoundUser(stores);
    const granted = await operate(operators, "POST", admin.token, { user: person.email });
    expect(granted.body).toMatchObject({
      done: expect.stringContaining(`Made ${person.user.id} operator. They act as a user until`),
      undo: `npm run ops -- operator revoke ${person.user.id} --reason "undo"`,
      detail: { was: "user", role: "operator", sessionsEnded: 1 },
    });
    expect(await auditOf(granted.headers.get("x-correlation-id"))).toEqual([
      {
        action: "role.granted",
        actor_kind: "operator",
        actor_id: admin.user.id,
        subject_id: person.user.id,
        reason: "a test",
      },
    ]);
    expect((await call(user, "GET", { token: person.accessToken })).code).toBe("session_revoked");

    const body = { email: person.email, password };
    const again = (await call(login, "POST", { body, ip: anAddress() })).body;
    expect((await call(top, "GET", { token: again.accessToken })).code).toBe("forbidden");
    await enrol(stores, { ...person, ...again });
    expect((await call(top, "GET", { token: again.accessToken })).status).toBe(200);
  });

  it("returns 403 unless the caller is an admin", async () => {
    const operator = await anOperator(stores, "operator");
    const { user: person } = await aBoundUser(stores);
    for (const body of [{ user: person.id }, { user: operator.user.id, role: "admin" }]) {
      expect((await operate(operators, "POST", operator.token, body)).code).toBe("forbidden");
    }
    const removal = { user: operator.user.id };
    expect((await operate(removals, "POST", operator.token, removal)).code).toBe("forbidden");
    expect(await roleOf(person.id)).toBe("user");
  });

  it("returns 409 for an account that is a guest, unconfirmed or suspended", async () => {
    const admin = await anOperator(stores, "admin");
    const [guest, unbound, suspended] = [await aGuest(), await aUser(), await aBoundUser(stores)];
    await operate(suspension, "PUT", admin.token, { user: suspended.user.id, suspended: true });
    for (const { user: person } of [guest, unbound, suspended]) {
      const answer = await operate(operators, "POST", admin.token, { user: person.id });
      expect(answer).toMatchObject({ status: 409, code: "account_unfit" });
    }
    const unknown = await operate(operators, "POST", admin.token, { user: unbound.email });
    expect(unknown).toMatchObject({ status: 404, code: "not_found" });
  });

  it("describes the change in a dry run and changes nothing", async () => {
    const admin = await anOperator(stores, "admin");
    const person = await aBoundUser(stores);
    const body = { user: person.user.id, role: "admin", dryRun: true };
    const dry = await operate(operators, "POST", admin.token, body);
    expect(dry.body).toMatchObject({
      dryRun: true,
      undo: null,
      done: expect.stringMatching(/admin/),
    });
    expect(dry.body.detail).toMatchObject({ changed: true, sessionsEnded: 1 });
    expect(await roleOf(person.user.id)).toBe("user");
    expect(await auditOf(dry.headers.get("x-correlation-id"))).toEqual([]);
    expect((await call(user, "GET", { token: person.accessToken })).status).toBe(200);
  });

  it("lets the break-glass token create the first admin only", async () => {
    const [first, second] = [await aBoundUser(stores), await aBoundUser(stores)];
    const asOperator = { user: first.user.id, role: "operator" };
    expect((await operate(operators, "POST", breakGlassToken, asOperator)).code).toBe(
      "validation_failed",
    );
    const made = await operate(operators, "POST", breakGlassToken, { user: first.email });
    expect(made.status).toBe(200);
    expect(await roleOf(first.user.id)).toBe("admin");
    const late = await operate(operators, "POST", breakGlassToken, { user: second.user.id });
    expect(late).toMatchObject({ status: 409, code: "operators_exist" });
    expect(await roleOf(second.user.id)).toBe("user");
  });

  it("lists operators and admins with masked addresses", async () => {
    const admin = await anOperator(stores, "admin");
    const operator = await anOperator(stores, "operator");
    const { body } = await call(operators, "GET", { token: operator.accessToken });
    expect(body.items).toEqual([
      expect.objectContaining({ id: admin.user.id, role: "admin", secondFactor: true }),
      expect.objectContaining({
        id: operator.user.id,
        role: "operator",
        email: "l***@example.com",
      }),
    ]);
  });
});

describe("POST /api/ops/operator-tokens", () => {
  it("returns 422 for a token with an unknown scope, and creates none", async () => {
    const admin = await anOperator(stores, "admin");
    const given = { name: "of-nothing", scopes: ["*:read", "nothing:read"], ttlSeconds: 3600 };
    const refused = await operate(operatorTokens, "POST", admin.token, given);
    expect(refused).toMatchObject({ status: 422, code: "validation_failed" });
    expect(refused.body.errors).toMatchObject([
      { pointer: "/scopes/1", message: expect.stringMatching(/^Must name one of /) },
    ]);
    expect(await stores.sql("select from operator_tokens where name = 'of-nothing'")).toEqual([]);
  });
});

describe("POST /api/ops/operators/removals", () => {
  it("revokes an admin's sessions and tokens at once", async () => {
    const [admin, leaving] = [await anOperator(stores, "admin"), await anOperator(stores, "admin")];
    const given = { name: "of-the-leaving", scopes: ["*:read"], ttlSeconds: 3600 };
    const made = await operate(operatorTokens, "POST", leaving.token, given);
    expect((await call(top, "GET", { token: made.body.detail.token })).status).toBe(200);
    const removed = await operate(removals, "POST", admin.token, { user: leaving.user.id });
    expect(removed.body.undo).toBe(
      `npm run ops -- operator grant ${leaving.user.id} --role admin --reason "undo"`,
    );
    expect((await call(top, "GET", { token: leaving.accessToken })).code).toBe("session_revoked");
    const byToken = await call(top, "GET", { token: made.body.detail.token });
    expect(byToken).toMatchObject({ status: 401, code: "operator_token_ended" });
  });

  it("applies when Redis cannot be updated", async () => {
    const [admin, leaving] = [await anOperator(stores, "admin"), await anOperator(stores)];
    await stores.faults.redis.set({ kind: "reset" });
    const removed = await operate(removals, "POST", admin.token, { user: leaving.user.id });
    expect(removed.status).toBe(200);
    expect((await call(top, "GET", { token: leaving.token })).code).toBe("session_revoked");
  });

  it("returns 409 last_admin for every way to remove the last admin", async () => {
    const admin = await anOperator(stores, "admin");
    await anOperator(stores, "operator");
    const { id } = admin.user;
    const answers = [
      await operate(removals, "POST", admin.token, { user: id }),
      await operate(operators, "POST", admin.token, { user: id, role: "operator" }),
      await operate(suspension, "PUT", admin.token, { user: id, suspended: true }),
      await operate(suspension, "PUT", admin.token, { user: id, suspended: true, dryRun: true }),
      await operate(secondFactorRemovals, "POST", admin.token, { user: id }),
      await operate(secondFactorRemovals, "POST", admin.token, { user: id, dryRun: true }),
    ];
    expect(answers.map(({ code }) => code)).toEqual(Array(6).fill("last_admin"));
    expect(await roleOf(id)).toBe("admin");
    expect((await call(totp, "GET", { token: admin.token })).body).toMatchObject({ enabled: true });
  });

  it("does not count a blocked admin as a remaining one", async () => {
    const [admin, blocked] = [await anOperator(stores, "admin"), await anOperator(stores, "admin")];
    const block = { kind: "user", value: blocked.user.id, ttlSeconds: 3600 };
    expect((await operate(blocks, "POST", admin.token, block)).status).toBe(200);
    const removal = { user: admin.user.id };
    expect((await operate(removals, "POST", admin.token, removal)).code).toBe("last_admin");
    await stores.sql("update blocks set expires_at = now() - interval '1 second'");
    expect((await operate(removals, "POST", admin.token, removal)).status).toBe(200);
  });
});

describe("PUT /api/ops/users/suspension", () => {
  it("suspends an account at once, until the suspension is lifted", async () => {
    const operator = await anOperator(stores);
    const person = await aBoundUser(stores);
    const body = { user: person.email, suspended: true };
    const dry = await operate(suspension, "PUT", operator.token, { ...body, dryRun: true });
    expect(dry.body.done).toBe(`Would suspend ${person.user.id}.`);
    expect((await call(user, "GET", { token: person.accessToken })).status).toBe(200);
    const suspended = await operate(suspension, "PUT", operator.token, body);
    expect(suspended.body.detail).toMatchObject({ changed: true, sessionsEnded: 1 });
    expect((await call(user, "GET", { token: person.accessToken })).code).toBe("session_revoked");
    const signIn = () =>
      call(login, "POST", { body: { email: person.email, password }, ip: anAddress() });
    expect((await signIn()).code).toBe("account_suspended");
    const repeated = await operate(suspension, "PUT", operator.token, body);
    expect(repeated.body).toMatchObject({ undo: null, detail: { changed: false } });

    await operate(suspension, "PUT", operator.token, { user: person.user.id, suspended: false });
    expect((await signIn()).status).toBe(200);
    const trail = await stores.sql(
      "select action from audit_log where subject_id = $1 and actor_kind = 'operator' order by id",
      person.user.id,
    );
    expect(trail.map(({ action }) => action)).toEqual(["user.suspended", "user.unsuspended"]);
  });

  it("revokes the tokens that an admin created permanently", async () => {
    const [admin, rogue] = [await anOperator(stores, "admin"), await anOperator(stores, "admin")];
    const given = { name: "of-the-suspended", scopes: ["*:*"], ttlSeconds: 3600 };
    const made = await operate(operatorTokens, "POST", rogue.token, given);
    const use = () => call(top, "GET", { token: made.body.detail.token });
    const body = { user: rogue.user.id, suspended: true };
    await operate(suspension, "PUT", admin.token, { ...body, dryRun: true });
    expect((await use()).status).toBe(200);
    await operate(suspension, "PUT", admin.token, body);
    expect(await use()).toMatchObject({ status: 401, code: "operator_token_ended" });
    await operate(suspension, "PUT", admin.token, { ...body, suspended: false });
    expect((await use()).code).toBe("operator_token_ended");
  });

  it("returns 403 for an operator who suspends an admin", async () => {
    const [operator, admin] = [await anOperator(stores), await anOperator(stores, "admin")];
    const body = { user: admin.user.id, suspended: true };
    expect((await operate(suspension, "PUT", operator.token, body)).code).toBe("forbidden");
  });
});

describe("POST /api/ops/users/second-factor-removals", () => {
  it("allows a sign-in with the password alone again, and notifies the owner", async () => {
    const operator = await anOperator(stores);
    const person = await aBoundUser(stores);
    await enrol(stores, person);
    const body = { user: person.user.id };
    const removed = await operate(secondFactorRemovals, "POST", operator.token, body);
    expect(removed.body.detail).toMatchObject({ changed: true, sessionsEnded: 1 });
    const signedIn = await call(login, "POST", {
      body: { email: person.email, password },
      ip: anAddress(),
    });
    expect(signedIn.status).toBe(200);
    const state = await call(totp, "GET", { token: signedIn.body.accessToken });
    expect(state.body).toMatchObject({ enabled: false, recoveryCodesLeft: 0 });
    const [newest] = await mailbox.to(person.email);
    expect(newest?.subject).toMatch(/sign-in|second factor|two-step/i);
    const again = await operate(secondFactorRemovals, "POST", operator.token, body);
    expect(again.body.detail).toMatchObject({ changed: false });
  });

  it("changes nothing in an account whose enrolment is not confirmed", async () => {
    const operator = await anOperator(stores);
    const person = await aBoundUser(stores);
    expect((await call(totp, "POST", { token: person.accessToken })).status).toBe(200);
    const body = { user: person.user.id };
    const removed = await operate(secondFactorRemovals, "POST", operator.token, body);
    expect(removed.body.detail).toMatchObject({ changed: false, sessionsEnded: 0 });
    expect((await call(totp, "GET", { token: person.accessToken })).status).toBe(200);
  });

  it("requires an admin when the account is an operator's or an admin's", async () => {
    const [operator, admin] = [await anOperator(stores), await anOperator(stores, "admin")];
    const body = { user: admin.user.id };
    const refused = await operate(secondFactorRemovals, "POST", operator.token, body);
    expect(refused.code).toBe("forbidden");
    const other = { user: operator.user.id };
    expect((await operate(secondFactorRemovals, "POST", admin.token, other)).status).toBe(200);
  });

  it("accepts no password in any request", async () => {
    const admin = await anOperator(stores, "admin");
    const { user: person } = await aBoundUser(stores);
    for (const [route, method] of [
      [secondFactorRemovals, "POST"],
      [suspension, "PUT"],
      [operators, "POST"],
    ] as const) {
      const body = { user: person.id, password: "a battery that is new" };
      expect((await operate(route, method, admin.token, body)).code).toBe("validation_failed");
    }
  });
});
