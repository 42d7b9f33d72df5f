import { randomBytes, randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import mailWebhook from "../../../api/webhooks/mail.js";
import { addressHash } from "../../../lib/mail/address-hash.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { aBoundUser, aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const lines = useLogLines();
const secret = `whsec_${randomBytes(24).toString("base64")}`;
const environment = { MAIL_WEBHOOK_SECRET: secret, LOG_LEVEL: "info" };
useEnvironment(environment);

function bounced(email: string, type = "Permanent", at = new Date()) {
  const bounce = { type, subType: "General", message: "The address does not exist." };
  return eventOf("email.bounced", email, { bounce }, at);
}
function eventOf(type: string, email: string, more = {}, at = new Date()) {
  const data = { email_id: randomUUID(), from: "Linguamate", to: [email], subject: "Hi", ...more };
  return { type, created_at: at.toISOString(), data };
}
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
const delivered = (email: string, minutes: number) =>
  eventOf("email.delivered", email, {}, minutesAgo(minutes));

interface Delivery {
  id?: string;
  at?: Date;
  key?: string;
  prefix?: "svix" | "webhook";
}

/** Headers and body as Svix sends them. */
function signed(event: unknown, { id, at, key, prefix = "svix" }: Delivery = {}) {
  const body = typeof event === "string" ? event : JSON.stringify(event);
  const messageId = id ?? `msg_${randomUUID()}`;
  const sentAt = at ?? new Date();
  const headers = {
    [`${prefix}-id`]: messageId,
    [`${prefix}-timestamp`]: String(Math.floor(sentAt.getTime() / 1000)),
    [`${prefix}-signature`]: `v1,bm90aGluZw== ${new Webhook(key ?? secret).sign(messageId, sentAt, body)}`,
  };
  return { body, headers };
}
/** A signed delivery whose headers were changed. */
function changed(event: object, changes: Record<string, (text: string) => string>) {
  const { body, headers } = signed(event);
  for (const [name, change] of Object.entries(changes)) headers[name] = change(headers[name] ?? "");
  return { body, headers };
}
const deliver = (event: unknown, delivery?: Delivery) =>
  call(mailWebhook, "POST", signed(event, delivery));

const isUndeliverable = async (id: string) =>
  (await stores.sql("select email_undeliverable from users where id = $1", id))[0]
    ?.email_undeliverable === "t";
const suppression = async (email: string) =>
  (
    await stores.sql(
      "select reason from suppressed_addresses where address_hash = $1",
      addressHash(aContext().env, email),
    )
  )[0]?.reason;

describe("POST /api/webhooks/mail", () => {
  it("suppresses an address after a permanent bounce and marks its account", async () => {
    const [person, other] = [await aBoundUser(stores), await aBoundUser(stores)];
    const { status, body } = await deliver(bounced(person.email.toUpperCase()));
    expect([status, body]).toEqual([204, undefined]);
    expect(await suppression(person.email)).toBe("bounced");
    expect(await isUndeliverable(person.user.id)).toBe(true);
    expect(await isUndeliverable(other.user.id)).toBe(false);
    expect(lines.read("address_suppressed")).toMatchObject([
      { level: "NOTICE", data: { reason: "bounced", count: 1 } },
    ]);
    expect(lines.written().join()).not.toContain(person.email);
  });

  it("suppresses an address after a spam complaint", async () => {
    const { user, email } = await aBoundUser(stores);
    expect((await deliver(eventOf("email.complained", email))).status).toBe(204);
    expect(await suppression(email)).toBe("complained");
    expect(await isUndeliverable(user.id)).toBe(true);
  });

  it("does not mark an account that only claims the address", async () => {
    const { user, email } = await aUser();
    await deliver(bounced(email));
    expect(await suppression(email)).toBe("bounced");
    expect(await isUndeliverable(user.id)).toBe(false);
  });

  it("processes a delivery once, with one Postgres call", async () => {
    const { user, email } = await aBoundUser(stores);
    const id = `msg_${randomUUID()}`;
    await stores.resetCalls();
    await deliver(bounced(email), { id });
    expect(stores.calls()).toMatchObject({ postgresCalls: 1, redisTrips: 0 });
    await stores.sql("update users set email_undeliverable = false where id = $1", user.id);
    expect((await deliver(bounced(email), { id })).status).toBe(204);
    expect(await isUndeliverable(user.id)).toBe(false);
    expect((await deliver(eventOf("email.complained", email))).status).toBe(204);
    expect(await isUndeliverable(user.id)).toBe(true);
    // The stronger reason: a delivery lifts a bounce only.
    expect(await suppression(email)).toBe("complained");
  });

  it("lifts a bounce after a later delivery, with one Postgres call, a log line and an audit row", async () => {
    const { user, email } = await aBoundUser(stores);
    await deliver(bounced(email, "Permanent", minutesAgo(2)));
    await stores.resetCalls();
    expect((await deliver(delivered(email.toUpperCase(), 1))).status).toBe(204);
    expect(stores.calls()).toMatchObject({ postgresCalls: 1, redisTrips: 0 });
    expect(await suppression(email)).toBeUndefined();
    expect(await isUndeliverable(user.id)).toBe(false);
    expect(lines.read("suppression_lifted")).toMatchObject([
      { level: "NOTICE", data: { reason: "delivered" } },
    ]);
    const audit = await stores.sql("select * from audit_log where subject_id = $1", user.id);
    expect(audit).toMatchObject([{ action: "mail_suppression.lifted", actor_kind: "system" }]);
    expect(lines.written().join()).not.toContain(email);
  });

  it("does not lift a bounce after an older delivery, also when several bounced", async () => {
    const { user, email } = await aBoundUser(stores);
    await deliver(bounced(email, "Permanent", minutesAgo(2)));
    await deliver(delivered(email, 3));
    expect(await suppression(email)).toBe("bounced");
    await deliver(bounced(email));
    await deliver(delivered(email, 1));
    expect(await suppression(email)).toBe("bounced");
    expect(await isUndeliverable(user.id)).toBe(true);
    expect(await stores.sql("select from audit_log where subject_id = $1", user.id)).toEqual([]);
  });

  it("ignores a bounce that arrives after a later delivery", async () => {
    const { user, email } = await aBoundUser(stores);
    await deliver(delivered(email, 1));
    await deliver(bounced(email, "Permanent", minutesAgo(2)));
    expect(await suppression(email)).toBeUndefined();
    expect(await isUndeliverable(user.id)).toBe(false);
    await deliver(bounced(email));
    expect(await suppression(email)).toBe("bounced");
  });

  it("does not lift a complaint after a delivery, in any order", async () => {
    const { email } = await aBoundUser(stores);
    await deliver(delivered(email, 1));
    await deliver(eventOf("email.complained", email, {}, minutesAgo(2)));
    await deliver(delivered(email, 0));
    expect(await suppression(email)).toBe("complained");
    await deliver(bounced(email));
    await deliver(delivered(email, 0));
    expect(await suppression(email)).toBe("complained");
  });

  it("does not take a delivery in the future for a later one", async () => {
    const { email } = await aBoundUser(stores);
    await deliver(delivered(email, -60));
    await deliver(bounced(email));
    expect(await suppression(email)).toBe("bounced");
  });

  it.each([
    ["a temporary bounce", (email: string) => bounced(email, "Transient")],
    ["a sent mail", (email: string) => eventOf("email.sent", email)],
    [
      "a delivery to several recipients",
      (email: string) => eventOf("email.delivered", email, { to: [email, "b@example.com"] }),
    ],
    [
      "a delivery without a valid time",
      (email: string) => ({ ...eventOf("email.delivered", email), created_at: "soon" }),
    ],
    ["an unknown event", (email: string) => eventOf("contact.created", email)],
    ["an event without recipients", () => ({ type: "email.complained", data: {} })],
    ["an invalid address", () => eventOf("email.complained", "nobody")],
    ["null", () => null],
    ["a list", () => [1, 2]],
  ])("acknowledges %s and changes nothing", async (_, eventFor) => {
    const { user, email } = await aBoundUser(stores);
    await stores.resetCalls();
    expect((await deliver(eventFor(email))).status).toBe(204);
    expect(stores.calls().postgresCalls).toBe(0);
    expect(await isUndeliverable(user.id)).toBe(false);
  });

  it("accepts the standard header names too", async () => {
    const { email } = await aBoundUser(stores);
    expect((await deliver(bounced(email), { prefix: "webhook" })).status).toBe(204);
    expect(await suppression(email)).toBe("bounced");
  });

  const minutesFromNow = (minutes: number) => new Date(Date.now() + minutes * 60_000);
  it.each<[string, (body: object) => Parameters<typeof call>[2]]>([
    ["no signature", (body) => ({ body })],
    [
      "a signature under another secret",
      (body) => signed(body, { key: `whsec_${randomBytes(24).toString("base64")}` }),
    ],
    ["another body", (body) => ({ ...signed(body), body: JSON.stringify({ ...body, more: 1 }) })],
    ["a signature from six minutes ago", (body) => signed(body, { at: minutesFromNow(-6) })],
    [
      "a signature from six minutes in the future",
      (body) => signed(body, { at: minutesFromNow(6) }),
    ],
    [
      "an invalid timestamp",
      (body) => ({ body, headers: { ...signed(body).headers, "svix-timestamp": "soon" } }),
    ],
    [
      "another id",
      (body) => ({ body, headers: { ...signed(body).headers, "svix-id": "msg_other" } }),
    ],
    [
      "a malformed signature",
      (body) => ({ body, headers: { ...signed(body).headers, "svix-signature": "v1 v1, ,,\t" } }),
    ],
    [
      "another notation of the timestamp",
      (body) => changed(body, { "svix-timestamp": (text) => `${text}.5` }),
    ],
    [
      "a timestamp with a zero",
      (body) => changed(body, { "svix-timestamp": (text) => `0${text}` }),
    ],
    [
      "a timestamp with a sign",
      (body) => changed(body, { "svix-timestamp": (text) => `+${text}` }),
    ],
    ["a repeated timestamp", (body) => changed(body, { "svix-timestamp": (t) => `${t}, ${t}` })],
    [
      "a signature with a third part",
      (body) => changed(body, { "svix-signature": (text) => `${text},more` }),
    ],
    ["a padded signature", (body) => changed(body, { "svix-signature": (text) => `${text}=` })],
    [
      "a signature in the alphabet of base64url",
      (body) =>
        changed(body, {
          "svix-signature": (text) => `${text.replaceAll("+", "-").replaceAll("/", "_")}=`,
        }),
    ],
    ["an id that contains the separator", (body) => signed(body, { id: `msg.${randomUUID()}` })],
  ])("returns 401 for %s, with a security event and no change", async (_, request) => {
    const { email } = await aBoundUser(stores);
    await stores.settled();
    const refused = await call(mailWebhook, "POST", request(bounced(email)));
    expect(refused).toMatchObject({ status: 401, code: "webhook_signature_invalid" });
    expect(await suppression(email)).toBeUndefined();
    expect(lines.read("webhook_signature_invalid")).toMatchObject([{ level: "SECURITY" }]);
    await stores.settled();
    const [row] = await stores.sql(
      "select * from security_events where correlation_id = $1",
      refused.headers.get("x-correlation-id"),
    );
    expect(row).toMatchObject({ event: "webhook_signature_invalid", route: "/api/webhooks/mail" });
  });

  it("returns 401 when no secret is configured", async () => {
    const { email } = await aBoundUser(stores);
    const request = signed(bounced(email));
    setEnvironment({ ...environment, MAIL_WEBHOOK_SECRET: "" });
    expect(await call(mailWebhook, "POST", request)).toMatchObject({
      status: 401,
      code: "webhook_signature_invalid",
    });
  });

  it("returns 400 for a signed body that is not JSON, and 413 for one that is too large", async () => {
    expect(await deliver("{nothing")).toMatchObject({ status: 400, code: "malformed_body" });
    expect(await deliver("x".repeat(300_000))).toMatchObject({
      status: 413,
      code: "payload_too_large",
    });
  });

  it("returns 503 while Postgres is unavailable, so that the provider retries", async () => {
    const { email } = await aBoundUser(stores);
    await stores.faults.postgres.set({ kind: "refuse" });
    const id = `msg_${randomUUID()}`;
    expect(await deliver(bounced(email), { id })).toMatchObject({
      status: 503,
      code: "service_unavailable",
    });
    await stores.faults.postgres.set(null);
    expect((await deliver(bounced(email), { id })).status).toBe(204);
    expect(await suppression(email)).toBe("bounced");
  });

  it("is served under any host name", async () => {
    setEnvironment({ ...environment, ALLOWED_HOSTS: "linguamate.com" });
    const url = "http://elsewhere.example.com/api/webhooks/mail";
    const request = { ...signed(eventOf("email.sent", "ada@example.com")), url };
    expect((await call(mailWebhook, "POST", request)).status).toBe(204);
  });
});
