import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import find from "../../../api/ops/find.js";
import revocations from "../../../api/ops/revocations.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { drained } from "../../support/drained.js";
import { useLogLines } from "../../support/log-lines.js";
import { anOperator, type OperatorPerson, operate } from "../../support/operators.js";
import { aBoundUser, anAddress, aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const logs = useLogLines();

let operator: OperatorPerson;
beforeAll(async () => {
  operator = await anOperator(stores);
});

const lookUp = (q: string) => call(find, "POST", { token: operator.token, body: { q } });

describe("POST /api/ops/find", () => {
  it("finds an account by its id and by its address, which it does not repeat", async () => {
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

  it("finds those that only claim an address, and says so", async () => {
    const { email, user } = await aUser();
    const { body } = await lookUp(email);
    expect(body.accounts).toMatchObject([{ id: user.id, emailConfirmed: false }]);
  });

  it("finds what somebody asked of late, and a single request by its correlation ID", async () => {
    const { user: person, accessToken: token } = await aUser();
    await call(user, "GET", { token, headers: { "x-correlation-id": "found-by-its-id" } });
    await drained(stores);
    const request = { route: "/api/user", status: 200, correlationId: "found-by-its-id" };
    expect((await lookUp(person.id)).body.requests[0]).toMatchObject(request);
    expect((await lookUp("found-by-its-id")).body.requests).toMatchObject([request]);
  });

  it("finds whose a session is", async () => {
    const { sessionId, user } = await aUser();
    expect((await lookUp(sessionId)).body.accounts).toMatchObject([{ id: user.id }]);
  });

  it("finds what befell an IP address", async () => {
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

  it("finds by a correlation ID what was audited and told, with the reason", async () => {
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

  it("finds nothing of what is unknown, and says what it can look for", async () => {
    const nothing = { accounts: [], securityEvents: [], audit: [] };
    expect((await lookUp(randomUUID())).body).toMatchObject(nothing);
    for (const q of ["not an id!", "a@b", "x".repeat(65)]) {
      expect(await lookUp(q)).toMatchObject({ status: 422, code: "validation_failed" });
    }
  });
});
