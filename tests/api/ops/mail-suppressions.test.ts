import { beforeAll, describe, expect, it } from "vitest";
import find from "../../../api/ops/mail-suppressions/find.js";
import suppressions from "../../../api/ops/mail-suppressions/index.js";
import lifts from "../../../api/ops/mail-suppressions/lifts.js";
import { suppress } from "../../../lib/mail/suppression.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { useLogLines } from "../../support/log-lines.js";
import { anOperator, type OperatorPerson, operate } from "../../support/operators.js";
import { aBoundUser, aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const lines = useLogLines();
let operator: OperatorPerson;
beforeAll(async () => {
  operator = await anOperator(stores);
});

const bounce = (email: string, reason: "bounced" | "complained" = "bounced", at = new Date()) => {
  const ctx = aContext();
  return ctx.db.batch(suppress(ctx, { emails: [email], reason, at }));
};
const lookUp = async (email: string) =>
  (await call(find, "POST", { token: operator.token, body: { email } })).body.items;
const audits = (subjectId: string) =>
  stores.sql("select action, actor_kind, reason from audit_log where subject_id = $1", subjectId);
const isUndeliverable = async (id: string) =>
  (await stores.sql("select email_undeliverable from users where id = $1", id))[0]
    ?.email_undeliverable === "t";

describe("GET /api/ops/mail-suppressions", () => {
  it("lists suppressions without addresses, newest first", async () => {
    const [{ email: older }, { email }] = [await aUser(), await aUser()];
    await bounce(older, "complained", new Date("2026-01-01"));
    await bounce(email);
    const { body } = await call(suppressions, "GET", { token: operator.token });
    expect(body.total).toBe(2);
    expect(body.items).toMatchObject([
      { reason: "bounced" },
      { reason: "complained", since: "2026-01-01T00:00:00.000Z" },
    ]);
    expect(body.items[0].addressHash).toBe((await lookUp(email))[0].addressHash);
    expect(JSON.stringify(body)).not.toContain("@");
  });
});

describe("GET /api/ops/mail-suppressions with pages", () => {
  it("lists every suppression once", async () => {
    await stores.sql("delete from suppressed_addresses");
    const at = new Date("2026-02-01");
    for (const each of [at, at, at, new Date("2026-03-01")]) {
      await bounce((await aUser()).email, "bounced", each);
    }
    const page = async (query: string) => {
      const url = `http://localhost:8080/api/ops/mail-suppressions?limit=2${query}`;
      return (await call(suppressions, "GET", { token: operator.token, url })).body;
    };
    const first = await page("");
    const last = await page(`&cursor=${first.nextCursor}`);
    expect([first.total, last.total, last.nextCursor]).toEqual([4, 4, null]);
    const items = [...first.items, ...last.items] as { addressHash: string; since: string }[];
    expect(items.map(({ since }) => since.slice(0, 7))).toEqual([
      "2026-03",
      ...Array(3).fill("2026-02"),
    ]);
    expect(new Set(items.map(({ addressHash }) => addressHash)).size).toBe(4);
    await stores.sql("delete from suppressed_addresses");
  });
});

describe("POST /api/ops/mail-suppressions/find", () => {
  it("finds the suppression of an address in any spelling, and none of another", async () => {
    const { email } = await aUser();
    expect(await lookUp(email)).toEqual([]);
    await bounce(email);
    expect(await lookUp(` ${email.toUpperCase()} `)).toMatchObject([{ reason: "bounced" }]);
  });

  it("returns 422 for something else", async () => {
    const answer = await call(find, "POST", { token: operator.token, body: { email: "ada" } });
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
  });
});

describe("POST /api/ops/mail-suppressions/lifts", () => {
  const lift = (email: string, more = {}) =>
    operate(lifts, "POST", operator.token, { email, ...more });

  it("lifts a suppression with an audit row and prints the undo command", async () => {
    const { user, email } = await aBoundUser(stores);
    await bounce(email);
    expect(await isUndeliverable(user.id)).toBe(true);
    const dry = await lift(email, { dryRun: true });
    expect(dry.body).toMatchObject({ dryRun: true, undo: null });
    expect(await lookUp(email)).toHaveLength(1);
    expect(await audits(user.id)).toEqual([]);

    const { body } = await lift(email);
    expect(body.undo).toBe(
      `npm run ops -- mail suppression set ${email} --cause bounced --reason "undo"`,
    );
    expect(await lookUp(email)).toEqual([]);
    expect(await isUndeliverable(user.id)).toBe(false);
    expect(await audits(user.id)).toEqual([
      { action: "mail_suppression.lifted", actor_kind: "operator", reason: "a test" },
    ]);
    expect(lines.read("suppression_lifted")).toMatchObject([{ data: { reason: "operator" } }]);
    expect(lines.read("admin_action")).toMatchObject([{ data: { operation: "mail" } }]);
    expect(lines.written().join("")).not.toContain(email);
  });

  it("outweighs a bounce from before that arrives later, but not a new one", async () => {
    const { email } = await aBoundUser(stores);
    await bounce(email);
    const before = new Date(Date.now() - 1000);
    await lift(email);
    await bounce(email, "bounced", before);
    expect(await lookUp(email)).toEqual([]);
    await bounce(email);
    expect(await lookUp(email)).toMatchObject([{ reason: "bounced" }]);
  });

  it("quotes an address in the undo command for the shell", async () => {
    const email = "a$(id)'b@example.com".replace("(id)", "{id}");
    await bounce(email);
    expect((await lift(email)).body.undo).toContain(`set 'a\${id}'\\''b@example.com' --cause`);
  });

  it("says that the recipient complained, and audits an address without an account by its hash", async () => {
    const email = "nobody-here@example.com";
    await bounce(email, "complained");
    const [{ addressHash }] = await lookUp(email);
    expect((await lift(email)).body.done).toContain("did not want this mail");
    expect(await audits(addressHash)).toMatchObject([{ action: "mail_suppression.lifted" }]);
  });

  it("does nothing for an address that is not suppressed, and offers no undo", async () => {
    const before = await stores.sql("select from audit_log");
    const { body } = await lift("other@example.com");
    expect(body).toMatchObject({
      undo: null,
      done: expect.stringContaining("is already not suppressed"),
    });
    expect(await stores.sql("select from audit_log")).toHaveLength(before.length);
  });
});

describe("POST /api/ops/mail-suppressions", () => {
  it("suppresses an address with an audit row, after a lift too", async () => {
    const { user, email } = await aBoundUser(stores);
    const set = (more = {}) =>
      operate(suppressions, "POST", operator.token, { email, cause: "complained", ...more });
    await set({ dryRun: true });
    expect(await lookUp(email)).toEqual([]);
    const { body } = await set();
    expect(body.undo).toBe(`npm run ops -- mail suppression lift ${email} --reason "undo"`);
    expect(await lookUp(email)).toMatchObject([{ reason: "complained" }]);
    await operate(lifts, "POST", operator.token, { email });
    await operate(suppressions, "POST", operator.token, { email });
    expect(await lookUp(email)).toMatchObject([{ reason: "complained" }]);
    expect((await audits(user.id)).map(({ action }) => action)).toEqual([
      "mail_suppression.set",
      "mail_suppression.lifted",
      "mail_suppression.set",
    ]);
  });
});
