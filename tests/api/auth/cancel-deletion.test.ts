import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import cancelDeletion from "../../../api/auth/cancel-deletion.js";
import login from "../../../api/auth/login.js";
import user from "../../../api/user/index.js";
import { env } from "../../../lib/env.js";
import { cancelToken } from "../../../lib/mail/cancel-token.js";
import { undoToken } from "../../../lib/mail/undo-token.js";
import { purgeDue } from "../../../lib/privacy/purge.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { aFullAccount } from "../../support/full-account.js";
import { useMailbox } from "../../support/mailbox.js";
import { aBoundUser, anAddress, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const mailbox = useMailbox();

const cancel = (token: string, headers = {}) =>
  call(cancelDeletion, "POST", { body: { cancelToken: token }, headers, ip: anAddress() });

async function aLeavingUser() {
  const person = await aBoundUser(stores);
  const { body } = await call(user, "DELETE", { token: person.accessToken });
  return { ...person, cancelToken: body.cancelToken as string };
}

/** Everything about an account except what a deletion changes for good: its sessions. */
async function stateOf(id: string) {
  const parts = [
    "select to_jsonb(u) - 'updated_at' as x from users u where id = $1",
    "select to_jsonb(x) as x from preferences x where user_id = $1",
    "select to_jsonb(x) as x from xp_entries x where user_id = $1",
    "select to_jsonb(x) as x from second_factors x where user_id = $1",
    "select to_jsonb(x) as x from operator_tokens x where created_by = $1",
    "select to_jsonb(x) as x from consents x where user_id = $1",
  ];
  const states = [];
  for (const part of parts) states.push(await stores.sql(part, id));
  return states;
}

describe("POST /api/auth/cancel-deletion", () => {
  it("restores the account as it was, and mails the owner", async () => {
    const ada = await aFullAccount(stores);
    await stores.sql("update users set role = 'user' where id = $1", ada.user.id);
    await stores.sql("delete from blocks where value = 'user:' || $1::text", ada.user.id);
    await stores.sql("delete from suppressed_addresses");
    const before = await stateOf(ada.user.id);
    const { body } = await call(user, "DELETE", { token: ada.accessToken });
    expect((await cancel(body.cancelToken)).status).toBe(204);
    expect(await stateOf(ada.user.id)).toEqual(before);
    const [mail] = await mailbox.to(ada.email);
    expect(mail?.subject).toBe("Your account will not be deleted");
    const [row] = await stores.sql(
      "select count(*) from audit_log where action = 'deletion.cancelled' and subject_id = $1",
      ada.user.id,
    );
    expect(row?.count).toBe("1");
  });

  it("lets the owner sign in again; the old sessions stay ended", async () => {
    const ada = await aLeavingUser();
    await cancel(ada.cancelToken);
    expect((await call(user, "GET", { token: ada.accessToken })).code).toBe("session_revoked");
    const body = { email: ada.email, password };
    expect((await call(login, "POST", { body, ip: anAddress() })).status).toBe(200);
  });

  it("accepts the token as pasted from the mail", async () => {
    const ada = await aLeavingUser();
    expect((await cancel(` ${ada.cancelToken.replaceAll("-", "\u2011")}. \n`)).status).toBe(204);
  });

  it.each([
    ["an unknown deletion", () => cancelToken(env(), randomUUID())],
    ["a forged token", () => `cd1.${randomUUID()}.${"A".repeat(43)}`],
    ["a token of another kind", () => undoToken(env(), randomUUID())],
    ["a text", () => "no token"],
  ])("returns 422 code_invalid for %s", async (_, make) => {
    expect(await cancel(make())).toMatchObject({ status: 422, code: "code_invalid" });
  });

  it("returns 422 code_invalid when it was used, and when the grace period is over", async () => {
    const used = await aLeavingUser();
    await cancel(used.cancelToken);
    expect((await cancel(used.cancelToken)).code).toBe("code_invalid");
    const late = await aLeavingUser();
    await stores.sql("update users set purge_at = now() where id = $1", late.user.id);
    expect((await cancel(late.cancelToken)).code).toBe("code_invalid");
  });

  it("does not accept the token of an earlier deletion", async () => {
    const ada = await aLeavingUser();
    await cancel(ada.cancelToken);
    const signedIn = await call(login, "POST", {
      body: { email: ada.email, password },
      ip: anAddress(),
    });
    await call(user, "DELETE", { token: signedIn.body.accessToken });
    expect((await cancel(ada.cancelToken)).code).toBe("code_invalid");
  });

  it("is done once per Idempotency-Key", async () => {
    const ada = await aLeavingUser();
    const headers = { "idempotency-key": randomUUID() };
    expect((await cancel(ada.cancelToken, headers)).status).toBe(204);
    const again = await cancel(ada.cancelToken, headers);
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([204, "true"]);
  });

  it("of a cancellation and a purge at the same time one happens", async () => {
    for (let turn = 0; turn < 4; turn++) {
      const ada = await aLeavingUser();
      const late = { ...aContext(), now: new Date(Date.now() + 15 * 86_400_000) };
      const [cancelled] = await Promise.all([
        cancel(ada.cancelToken),
        purgeDue(late, Number.POSITIVE_INFINITY),
      ]);
      const rows = await stores.sql("select purge_at from users where id = $1", ada.user.id);
      expect(rows).toEqual(cancelled.status === 204 ? [{ purge_at: null }] : []);
    }
  });

  it("costs one Redis round trip and 2 Postgres calls", async () => {
    const ada = await aLeavingUser();
    await stores.resetCalls();
    await cancel(ada.cancelToken);
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 2 });
  });
});
