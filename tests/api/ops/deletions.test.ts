import { beforeAll, describe, expect, it } from "vitest";
import cancellations from "../../../api/ops/deletions/cancellations.js";
import findDeletion from "../../../api/ops/deletions/find.js";
import deletions from "../../../api/ops/deletions/index.js";
import exportsRoute from "../../../api/ops/exports.js";
import verification from "../../../api/ops/verification.js";
import user from "../../../api/user/index.js";
import { eraseAccount } from "../../../lib/privacy/erase.js";
import { accessTokenOfAge } from "../../support/aged-token.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { anOperator, type OperatorPerson, operate } from "../../support/operators.js";
import { aBoundUser, aGuest, aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
let operator: OperatorPerson;
let admin: OperatorPerson;

beforeAll(async () => {
  operator = await anOperator(stores);
  admin = await anOperator(stores, "admin");
});

const actions = (id: string) =>
  stores.sql(
    "select action, reason, actor_id from audit_log where subject_id = $1 and actor_kind = 'operator' order by id",
    id,
  );

describe("POST /api/ops/deletions", () => {
  it("signs the user out, schedules the purge and prints the undo, which works", async () => {
    const ada = await aBoundUser(stores);
    const tried = await operate(deletions, "POST", operator.token, {
      user: ada.email,
      dryRun: true,
    });
    expect(tried.body.done).toContain(`Would sign out ${ada.user.id}`);
    expect((await call(user, "GET", { token: ada.accessToken })).status).toBe(200);
    const done = await operate(deletions, "POST", operator.token, { user: ada.email });
    expect(done.body).toMatchObject({
      undo: `npm run ops -- gdpr cancel ${ada.user.id} --reason "undo"`,
      detail: { userId: ada.user.id, sessionsEnded: 1 },
    });
    expect((await call(user, "GET", { token: ada.accessToken })).code).toBe("session_revoked");
    const again = await operate(deletions, "POST", operator.token, { user: ada.user.id });
    expect(again.body.done).toContain("already pending");
    const undone = await operate(cancellations, "POST", operator.token, { user: ada.user.id });
    expect(undone.body.done).toContain("Cancelled the deletion");
    expect(
      await stores.sql("select 1 from users where id = $1 and purge_at is null", ada.user.id),
    ).toHaveLength(1);
    const by = { reason: "a test", actor_id: operator.user.id };
    expect(await actions(ada.user.id)).toEqual([
      { action: "deletion.requested", ...by },
      { action: "deletion.cancelled", ...by },
    ]);
  });

  it("gives guests the grace period, too", async () => {
    const guest = await aGuest();
    await operate(deletions, "POST", operator.token, { user: guest.user.id });
    expect(await stores.sql("select 1 from users where id = $1", guest.user.id)).toHaveLength(1);
  });

  it("refuses operators except to an admin, the last admin to all, and unknown users", async () => {
    const other = await anOperator(stores);
    expect((await operate(deletions, "POST", operator.token, { user: other.user.id })).code).toBe(
      "forbidden",
    );
    expect((await operate(deletions, "POST", admin.token, { user: admin.user.id })).code).toBe(
      "last_admin",
    );
    const unknown = { user: "5f0e7c1a-2b3c-4d5e-8f90-a1b2c3d4e5f6" };
    expect((await operate(deletions, "POST", admin.token, unknown)).code).toBe("not_found");
  });

  it("cancels also after the grace period", async () => {
    const ada = await aUser();
    await operate(deletions, "POST", operator.token, { user: ada.user.id });
    await stores.sql(
      "update users set purge_at = now() - interval '1 hour' where id = $1",
      ada.user.id,
    );
    const done = await operate(cancellations, "POST", operator.token, { user: ada.user.id });
    expect(done.body.done).toContain("Cancelled");
  });
});

describe("GET /api/ops/deletions", () => {
  it("lists pending deletions and receipts, and finds one account", async () => {
    const [leaving, gone] = [await aUser(), await aUser()];
    await operate(deletions, "POST", operator.token, { user: leaving.user.id });
    await eraseAccount(aContext(), gone.user.id, "replay");
    const { body } = await call(deletions, "GET", { token: operator.token });
    expect(body.pending).toContainEqual(
      expect.objectContaining({ userId: leaving.user.id, isOverdue: false }),
    );
    expect(body.erased).toContainEqual(expect.objectContaining({ userId: gone.user.id }));
    const find = (name: string) =>
      call(findDeletion, "POST", { token: operator.token, body: { user: name } });
    expect((await find(leaving.user.id)).body.counts).toEqual({
      pending: 1,
      overdue: 0,
      erased: 0,
    });
    expect((await find(gone.user.id)).body.counts).toEqual({ pending: 0, overdue: 0, erased: 1 });
    expect((await find("5f0e7c1a-2b3c-4d5e-8f90-a1b2c3d4e5f6")).code).toBe("not_found");
  });

  it("makes an overdue deletion a finding of verify", async () => {
    const ada = await aUser();
    const status = async () =>
      (await call(verification, "GET", { token: operator.token })).body.findings.find(
        ({ name }: { name: string }) => name === "due deletions",
      )?.status;
    expect(await status()).toBe("pass");
    await stores.sql(
      "update users set purge_at = now() - interval '3 hours' where id = $1",
      ada.user.id,
    );
    expect(await status()).toBe("fail");
    await stores.sql("update users set purge_at = null where id = $1", ada.user.id);
  });
});

describe("POST /api/ops/exports", () => {
  it("streams the data of the user, and audits it", async () => {
    const ada = await aUser();
    const answer = await operate(exportsRoute, "POST", operator.token, { user: ada.user.id });
    expect(answer).toMatchObject({ status: 200, body: { userId: ada.user.id } });
    expect(await actions(ada.user.id)).toEqual([
      { action: "data.exported", reason: "a test", actor_id: operator.user.id },
    ]);
  });

  it("needs a recent second factor, and an admin for the data of an operator", async () => {
    const ada = await aUser();
    const stale = accessTokenOfAge(operator, 11 * 60_000, ["pwd", "otp"]);
    expect((await operate(exportsRoute, "POST", stale, { user: ada.user.id })).code).toBe(
      "reauth_required",
    );
    expect(
      (await operate(exportsRoute, "POST", operator.token, { user: admin.user.id })).code,
    ).toBe("forbidden");
  });
});
