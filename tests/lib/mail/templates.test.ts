import "../../support/environment.js";
import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { env } from "../../../lib/env.js";
import { mailCode } from "../../../lib/mail/codes.js";
import type { Mail, MailTemplate } from "../../../lib/mail/mail.js";
import { renderMail } from "../../../lib/mail/templates.js";
import { undoToken } from "../../../lib/mail/undo-token.js";

const withCode: MailTemplate[] = [
  "verify_email",
  "sign_in_code",
  "reset_password",
  "confirm_new_email",
];
const withoutCode: MailTemplate[] = [
  "address_taken",
  "password_changed",
  "email_changed",
  "email_change_undone",
  "token_reuse",
  "second_factor_changed",
];
const createdAt = new Date("2027-03-01T09:30:00Z");
const validity = { createdAt, expiresAt: new Date("2027-03-01T09:40:00Z") };
const to = { email: "ada@example.com" };

function rendered(mail: Omit<Mail, "to">) {
  const message = renderMail(env(), { to, ...mail }, validity);
  if (!message) throw new Error("There is no such mail.");
  return message;
}

describe("every mail", () => {
  it.each([...withCode, ...withoutCode])("%s reads the same as text and as HTML", (template) => {
    const { subject, text, html } = rendered({ template, codeId: randomUUID() });
    expect(subject).toMatch(/^[\x20-\x7e]{10,60}$/);
    const body = /<body[^>]*>(.*)<\/body>/s.exec(html)?.[1] ?? "";
    const words = (plain: string) => plain.split(/\s+/).filter(Boolean);
    expect(words(body.replace(/<[^>]*>/g, " "))).toEqual(words(text));
  });

  it.each([...withCode, ...withoutCode])("%s loads, links and tracks nothing", (template) => {
    const { text, html } = rendered({ template, codeId: randomUUID(), undoId: randomUUID() });
    expect(text + html).not.toMatch(/https?:|<(a|img|link|script|iframe|form)\b|url\(|\?/i);
  });

  it("is the same at any time, so that a repetition equals the first try", () => {
    const mail = { template: "verify_email", codeId: randomUUID(), undoId: randomUUID() } as const;
    expect(rendered(mail)).toEqual(rendered(mail));
  });

  it("is none where the release does not know it, or its code is missing", () => {
    const unknown = { template: "unknown" as MailTemplate, to };
    expect(renderMail(env(), unknown, validity)).toBeNull();
    expect(renderMail(env(), { template: "verify_email", to }, validity)).toBeNull();
  });
});

describe("a mail with a code", () => {
  it.each(withCode)("%s shows it on a line of its own and says how long it lives", (template) => {
    const codeId = randomUUID();
    const { subject, text, html } = rendered({ template, codeId });
    const code = mailCode(env(), codeId);
    expect(text.split("\n")).toContain(code);
    expect(html).toMatch(new RegExp(`font:700 32px[^>]*>${code}</p>`));
    expect(text).toContain("for 10 minutes, until 09:40 UTC");
    expect(subject).not.toContain(code);
  });

  it.each(withoutCode)("%s is none", (template) => {
    const codeId = randomUUID();
    expect(rendered({ template, codeId }).text).not.toContain(mailCode(env(), codeId));
  });
});

describe("the single mails", () => {
  it("address_taken says that there is an account, and how to get into it", () => {
    const { text } = rendered({ template: "address_taken" });
    expect(text).toContain("you already have an account");
    expect(text).toContain("sign out in the app, then sign in with this address");
    expect(text).toContain("choose “Forgot password” on the sign-in screen");
    expect(text).toMatch(/sign in .*reset/);
  });

  it("email_change_undone says what is lost with it, and how to get in again", () => {
    const { text } = rendered({ template: "email_change_undone" });
    expect(text).toMatch(/signed out.*password/);
    expect(text).toContain("choose “Forgot password”");
  });

  it("email_changed tells how the change is undone", () => {
    const undoId = randomUUID();
    const token = undoToken(env(), undoId);
    const { text, html } = rendered({ template: "email_changed", undoId });
    expect(text.split("\n")).toContain(token);
    expect(html).toContain(`>${token}</p>`);
    expect(text).toContain("within 7 days");
  });
});
