import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { deliverNotices } from "../../../lib/alerts/deliver-notices.js";
import { addressHash } from "../../../lib/mail/address-hash.js";
import { mailCode } from "../../../lib/mail/codes.js";
import { deliver, deliverDue } from "../../../lib/mail/deliver.js";
import { deliverLater } from "../../../lib/mail/deliver-later.js";
import type { Mail } from "../../../lib/mail/mail.js";
import { newMailId, queueMail } from "../../../lib/mail/queue-mail.js";
import { aContext } from "../../support/context.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { useMailbox } from "../../support/mailbox.js";
import { aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const mailbox = useMailbox();
const lines = useLogLines();
useEnvironment({ LOG_LEVEL: "info" });

const anAddress = () => `learner-${randomUUID()}@example.com`;

async function queued(mail: Partial<Mail> = {}, send = true) {
  const ctx = aContext();
  const id = newMailId();
  const email = anAddress();
  const whole: Mail = { template: "password_changed", to: { email }, ...mail };
  await queueMail(ctx, id, whole, { send });
  return { ctx, id, email };
}
const rowOf = async (id: string) =>
  (await stores.sql("select * from queue_entries where id = $1", id))[0] ?? null;
/** Makes the mail's next attempt due. */
const becomeDue = (id: string) =>
  stores.sql("update queue_entries set run_after = now() - interval '1 second' where id = $1", id);
const secondsUntilDue = async (id: string) =>
  Number(
    (
      await stores.sql(
        "select extract(epoch from run_after - now()) as s from queue_entries where id = $1",
        id,
      )
    )[0]?.s,
  );

describe("a queued mail", () => {
  it("is sent once after the response, with its code, and its row is deleted", async () => {
    const codeId = randomUUID();
    const { ctx, id, email } = await queued({ template: "sign_in_code", codeId });
    deliverLater(ctx, id);
    expect(await mailbox.codeTo(email)).toBe(mailCode(ctx.env, codeId));
    expect(await rowOf(id)).toBeNull();
    await deliver(ctx, [id]);
    expect(await mailbox.to(email)).toHaveLength(1);
    expect(lines.read("mail_sent")).toMatchObject([
      {
        level: "INFO",
        corr: { correlationId: ctx.correlationId },
        data: { template: "sign_in_code", attempt: 1 },
      },
    ]);
  });

  it("costs three Postgres calls and one provider call, and no provider call if it must not be sent", async () => {
    const known = await queued();
    const unknown = await queued({}, false);
    await stores.resetCalls();
    const before = mailbox.provider.requests();
    await deliver(known.ctx, [known.id]);
    expect(stores.calls().postgresCalls).toBe(3);
    expect(mailbox.provider.requests() - before).toBe(1);
    await deliver(unknown.ctx, [unknown.id]);
    expect(stores.calls().postgresCalls).toBe(4);
    expect(await mailbox.to(unknown.email)).toEqual([]);
    expect(await rowOf(unknown.id)).toMatchObject({ attempts: "0" });
  });

  it("waits while no provider key is configured", async () => {
    const { id } = await queued();
    setEnvironment({ RESEND_API_KEY: "" });
    const ctx = aContext();
    await stores.resetCalls();
    deliverLater(ctx, id);
    await stores.settled();
    expect(stores.calls().postgresCalls).toBe(0);
    expect(await deliverDue(ctx)).toMatchObject({ sent: 0 });
    expect(await rowOf(id)).toMatchObject({ attempts: "0", dead_at: null });
    setEnvironment({});
    expect((await deliverDue(aContext())).sent).toBeGreaterThan(0);
    expect(await rowOf(id)).toBeNull();
  });

  it("is sent to the account's address at the time of sending", async () => {
    const { user, email: old } = await aUser();
    const bind = (email: string | null) =>
      stores.sql("update users set email = $2 where id = $1", user.id, email);
    const now = anAddress();
    await bind(old);
    const { ctx, id } = await queued({ to: { userId: user.id } });
    await bind(now);
    await deliver(ctx, [id]);
    const subjects = (await mailbox.to(old)).map(({ subject }) => subject);
    expect(subjects).toEqual(["Confirm your e-mail address"]);
    expect(await mailbox.to(now)).toHaveLength(1);

    await bind(null);
    const nowhere = await queued({ to: { userId: user.id } });
    await deliver(ctx, [nowhere.id]);
    expect(await rowOf(nowhere.id)).toBeNull();
    expect(lines.read("mail_withheld")).toMatchObject([
      { level: "NOTICE", data: { reason: "no_address" } },
    ]);
  });

  it("is not sent to a suppressed address", async () => {
    const { ctx, id, email } = await queued();
    await stores.sql(
      "insert into suppressed_addresses values ($1, 'bounced', now())",
      addressHash(ctx.env, email),
    );
    await deliver(ctx, [id]);
    expect(await mailbox.to(email)).toEqual([]);
    expect(await rowOf(id)).toBeNull();
    expect(lines.read("mail_withheld")[0].data.reason).toBe("suppressed");
    const counted = await stores.sql(
      "select * from mail_budgets where address_hash = $1",
      addressHash(ctx.env, email),
    );
    expect(counted).toEqual([]);
  });
});

describe("a suppressed address", () => {
  it("stays suppressed when DATA_KEY is rotated", async () => {
    const { ctx, id, email } = await queued();
    await stores.sql(
      "insert into suppressed_addresses values ($1, 'bounced', now())",
      addressHash(ctx.env, email),
    );
    const [current, ...previous] = ["c".repeat(40), ...ctx.env.dataKeys];
    const rotated = { ...ctx.env, dataKeys: [current, ...previous] } as typeof ctx.env;
    await deliver({ ...ctx, env: rotated }, [id]);
    expect(await mailbox.to(email)).toEqual([]);
    expect(lines.read("mail_withheld")[0].data.reason).toBe("suppressed");
  });
});

describe("the mail budget of an address", () => {
  const send = async (email: string) => {
    const { ctx, id } = await queued({ template: "address_taken", to: { email } });
    await deliver(ctx, [id]);
    expect(await rowOf(id)).toBeNull();
  };
  const letMinutesPass = (email: string, minutes: number) =>
    stores.sql(
      `update mail_budgets set admitted_at = array(
        select at - make_interval(mins => cast($2 as int)) from unnest(admitted_at) at
      ) where address_hash = $1`,
      addressHash(aContext().env, email),
      String(minutes),
    );

  it("is three mails an hour and ten a day; further mails are dropped silently", async () => {
    const email = anAddress();
    const sent = async () => (await mailbox.to(email)).length;
    for (let mail = 1; mail <= 5; mail += 1) await send(email);
    expect(await sent()).toBe(3);
    const withheld = lines.read("mail_withheld");
    expect(withheld).toHaveLength(2);
    expect(withheld[0]).toMatchObject({ level: "NOTICE", data: { reason: "budget" } });
    for (const expected of [6, 9, 10, 10]) {
      await letMinutesPass(email, 60);
      for (let mail = 1; mail <= 4; mail += 1) await send(email);
      expect(await sent()).toBe(expected);
    }
    await letMinutesPass(email, 20 * 60);
    await send(email);
    expect(await sent()).toBe(11);
    expect(lines.written().join()).not.toContain(email);
  });

  it("keeps the last mail for the owner: sign-in codes, which strangers request, cannot use it", async () => {
    const email = anAddress();
    const sendOf = async (template: "sign_in_code" | "verify_email") => {
      const { ctx, id } = await queued({ template, codeId: randomUUID(), to: { email } });
      await deliver(ctx, [id]);
    };
    const sent = async () => (await mailbox.to(email)).length;
    for (let mail = 1; mail <= 4; mail += 1) await sendOf("sign_in_code");
    expect(await sent()).toBe(2);
    for (let mail = 1; mail <= 2; mail += 1) await sendOf("verify_email");
    expect(await sent()).toBe(3);
    // The same within a day.
    for (let hour = 1; hour <= 4; hour += 1) {
      await letMinutesPass(email, 60);
      for (let mail = 1; mail <= 3; mail += 1) await sendOf("sign_in_code");
    }
    expect(await sent()).toBe(9);
    await sendOf("verify_email");
    expect(await sent()).toBe(10);
  });

  it("is measured over the past hour and the past day", async () => {
    const email = anAddress();
    const sentOf = async (mails: number) => {
      const before = (await mailbox.to(email)).length;
      for (let mail = 1; mail <= mails; mail += 1) await send(email);
      return (await mailbox.to(email)).length - before;
    };
    expect(await sentOf(1)).toBe(1);
    await letMinutesPass(email, 58);
    expect(await sentOf(2)).toBe(2);
    await letMinutesPass(email, 3);
    expect(await sentOf(3)).toBe(1);
    for (let hour = 1; hour <= 2; hour += 1) {
      await letMinutesPass(email, 60);
      expect(await sentOf(3)).toBe(3);
    }
    await letMinutesPass(email, 21 * 60);
    expect(await sentOf(3)).toBe(1);
  });

  it("does not apply to security notices", async () => {
    const email = anAddress();
    for (let mail = 1; mail <= 4; mail += 1) await send(email);
    expect(await mailbox.to(email)).toHaveLength(3);
    const notices = ["password_changed", "token_reuse", "second_factor_changed"] as const;
    for (const template of notices) {
      const { ctx, id } = await queued({ to: { email }, template });
      await deliver(ctx, [id]);
    }
    expect(await mailbox.to(email)).toHaveLength(6);
  });

  it("counts a mail once, however often it is attempted", async () => {
    const email = anAddress();
    const { ctx, id } = await queued({ template: "address_taken", to: { email } });
    mailbox.provider.fail({ kind: "error", status: 500, times: 4 });
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await becomeDue(id);
      await deliver(ctx, [id]);
    }
    const [budget] = await stores.sql(
      "select cardinality(admitted_at) as count from mail_budgets where address_hash = $1",
      addressHash(ctx.env, email),
    );
    expect(budget?.count).toBe("1");
    expect(await mailbox.to(email)).toHaveLength(1);
  });
});

describe("a mail that cannot be sent now", () => {
  it("is retried with growing delays, not before Retry-After", async () => {
    const { ctx, id, email } = await queued();
    const expected = [15, 30, 60, 120];
    mailbox.provider.fail({ kind: "error", status: 500 });
    for (const [tried, seconds] of expected.entries()) {
      await becomeDue(id);
      await deliver(ctx, [id]);
      const delay = await secondsUntilDue(id);
      expect(delay).toBeGreaterThan(seconds - 5);
      expect(delay).toBeLessThanOrEqual(seconds * 1.5 + 1);
      expect(await rowOf(id)).toMatchObject({
        attempts: String(tried + 1),
        last_error: "application_error",
        dead_at: null,
      });
    }
    mailbox.provider.fail({ kind: "rate-limit", retryAfterSeconds: 600 });
    await becomeDue(id);
    await deliver(ctx, [id]);
    expect(await secondsUntilDue(id)).toBeGreaterThan(595);
    expect(lines.read("mail_retried").at(-1)).toMatchObject({
      level: "WARN",
      data: { template: "password_changed", attempt: 5, reason: "rate_limit_exceeded" },
    });
    expect(await mailbox.to(email)).toEqual([]);
  });

  it("is not retried before it is due", async () => {
    const { ctx, id } = await queued();
    mailbox.provider.fail({ kind: "error", status: 500 });
    await deliver(ctx, [id]);
    await deliver(ctx, [id]);
    expect(await rowOf(id)).toMatchObject({ attempts: "1" });
  });

  it("is delivered once when the provider's response is lost", async () => {
    const { ctx, id, email } = await queued();
    mailbox.provider.fail({ kind: "lose-reply", times: 1 });
    await deliver(ctx, [id]);
    expect(await rowOf(id)).toMatchObject({ last_error: "network" });
    await becomeDue(id);
    await deliver(ctx, [id]);
    expect(await rowOf(id)).toBeNull();
    expect(await mailbox.to(email)).toHaveLength(1);
  });

  it("counts as sent when the provider accepted it with the text of another release", async () => {
    const { ctx, id, email } = await queued();
    mailbox.provider.fail({ kind: "lose-reply", times: 1 });
    await deliver(ctx, [id]);
    await stores.sql(
      `update queue_entries set payload = jsonb_set(payload, '{template}', '"email_changed"') where id = $1`,
      id,
    );
    await becomeDue(id);
    await deliver(ctx, [id]);
    expect(await rowOf(id)).toBeNull();
    expect(await mailbox.to(email)).toHaveLength(1);
  });

  it("fails permanently when the provider refuses it, with an error line without the address", async () => {
    const { ctx, id, email } = await queued();
    mailbox.provider.fail({ kind: "error", status: 422 });
    await deliver(ctx, [id]);
    const row = await rowOf(id);
    expect(row?.dead_at).not.toBeNull();
    await becomeDue(id);
    await deliver(ctx, [id]);
    await deliverDue(ctx);
    expect(await rowOf(id)).toMatchObject({ attempts: "1" });
    expect(lines.read("mail_failed")).toMatchObject([
      { level: "ERROR", data: { template: "password_changed", attempt: 1 } },
    ]);
    expect(lines.written().join()).not.toContain(email);
  });

  it("fails after the maximum number of attempts or when it would be too late", async () => {
    const often = await queued();
    const late = await queued();
    await stores.sql("update queue_entries set attempts = 11 where id = $1", often.id);
    await stores.sql(
      "update queue_entries set expires_at = now() + interval '10 seconds' where id = $1",
      late.id,
    );
    mailbox.provider.fail({ kind: "error", status: 500 });
    await deliver(often.ctx, [often.id, late.id]);
    for (const { id } of [often, late]) expect((await rowOf(id))?.dead_at).not.toBeNull();
  });

  it("fails for a template that this release does not have", async () => {
    const template = "from_a_later_release" as Mail["template"];
    const { ctx, id } = await queued({ template });
    await deliver(ctx, [id]);
    expect(await rowOf(id)).toMatchObject({ last_error: "unknown_template" });
  });

  it("is not lost when Postgres fails during sending", async () => {
    const { ctx, id, email } = await queued();
    const isDelete = (body: unknown) => JSON.stringify(body).includes("delete from");
    await stores.faults.postgres.set({ kind: "reset", match: isDelete });
    await expect(deliver(ctx, [id])).rejects.toThrow();
    await stores.faults.postgres.set(null);
    expect(await rowOf(id)).toMatchObject({ attempts: "1", dead_at: null });
    await becomeDue(id);
    await deliverDue(ctx);
    expect(await rowOf(id)).toBeNull();
    expect(await mailbox.to(email)).toHaveLength(1);
  });
});

describe("deliverDue", () => {
  it("sends all due mails in batches and returns the counts", async () => {
    const ctx = aContext();
    await deliverDue(ctx);
    const mails = await Promise.all(Array.from({ length: 11 }, () => queued()));
    const notToBeSent = await queued({}, false);
    await Promise.all(mails.map(({ id }) => becomeDue(id)));
    expect(await deliverDue(ctx)).toEqual({
      sent: 11,
      retried: 0,
      failed: 0,
      withheld: 0,
      expired: 0,
    });
    for (const { email } of mails) expect(await mailbox.to(email)).toHaveLength(1);
    expect(await rowOf(notToBeSent.id)).not.toBeNull();
    expect(await deliverDue(ctx)).toMatchObject({ sent: 0 });
  });

  it("deletes expired mails and logs those that were never sent", async () => {
    const ctx = aContext();
    await deliverDue(ctx);
    const [waiting, failed, never] = [await queued(), await queued(), await queued({}, false)];
    const ids = [waiting.id, failed.id, never.id];
    await stores.sql("update queue_entries set dead_at = now() where id = $1", failed.id);
    for (const id of ids) {
      await stores.sql("update queue_entries set expires_at = now() where id = $1", id);
    }
    expect(await deliverDue(ctx)).toMatchObject({ sent: 0, expired: 3 });
    expect(await Promise.all(ids.map(rowOf))).toEqual([null, null, null]);
    expect(lines.read("mails_expired")).toMatchObject([{ level: "WARN", data: { count: 1 } }]);
    expect(await mailbox.to(waiting.email)).toEqual([]);
  });

  it("counts expired notices separately", async () => {
    const ctx = aContext();
    await deliverDue(ctx);
    const [mail, ...notices] = [await queued(), await queued(), await queued()];
    for (const { id } of notices) {
      await stores.sql("update queue_entries set kind = 'notice' where id = $1", id);
    }
    for (const { id } of [mail, ...notices]) {
      await stores.sql("update queue_entries set expires_at = now() where id = $1", id);
    }
    expect(await deliverDue(ctx)).toMatchObject({ expired: 1 });
    expect(await deliverNotices(aContext())).toMatchObject({ expired: 2 });
    expect(lines.read("mails_expired")).toMatchObject([{ level: "WARN", data: { count: 1 } }]);
    expect(lines.read("notices_expired")).toMatchObject([{ level: "ERROR", data: { count: 2 } }]);
  });

  it("does not send a mail that another process has leased", async () => {
    const { ctx, id, email } = await queued();
    mailbox.provider.fail({ kind: "latency", ms: 300 });
    await becomeDue(id);
    const first = deliver(ctx, [id]);
    await expect.poll(async () => (await rowOf(id))?.attempts).toBe("1");
    await deliverDue(ctx);
    await first;
    expect(await mailbox.to(email)).toHaveLength(1);
    expect(lines.read("mail_sent").filter(({ data }) => data.attempt !== 1)).toEqual([]);
  });

  it("rejects while Postgres is unavailable", async () => {
    await stores.faults.postgres.set({ kind: "refuse" });
    await expect(deliverDue(aContext())).rejects.toThrow();
  });
});
