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
  if (!message) throw new Error("The template is unknown.");
  return message;
}

describe("every mail template", () => {
  it.each([...withCode, ...withoutCode])(
    "%s has the same words as text and as HTML",
    (template) => {
      const { subject, text, html } = rendered({ template, codeId: randomUUID() });
      expect(subject).toMatch(/^[\x20-\x7e]{10,60}$/);
      const body = /<body[^>]*>(.*)<\/body>/s.exec(html)?.[1] ?? "";
      const words = (plain: string) => plain.split(/\s+/).filter(Boolean);
      expect(words(body.replace(/<[^>]*>/g, " "))).toEqual(words(text));
    },
  );

  it.each([...withCode, ...withoutCode])("%s contains no links, images or tracking", (template) => {
    const { text, html } = rendered({ template, codeId: randomUUID(), undoId: randomUUID() });
    expect(text + html).not.toMatch(/https?:|<(a|img|link|script|iframe|form)\b|url\(|\?/i);
  });

  it("renders the same each time, so that a retry equals the first attempt", () => {
    const mail = { template: "verify_email", codeId: randomUUID(), undoId: randomUUID() } as const;
    expect(rendered(mail)).toEqual(rendered(mail));
  });

  it("returns null for an unknown template or without its code", () => {
    const unknown = { template: "unknown" as MailTemplate, to };
    expect(renderMail(env(), unknown, validity)).toBeNull();
    expect(renderMail(env(), { template: "verify_email", to }, validity)).toBeNull();
  });
});

describe("a template with a code", () => {
  it.each(withCode)("%s has the code on its own line with its validity", (template) => {
    const codeId = randomUUID();
    const { subject, text, html } = rendered({ template, codeId });
    const code = mailCode(env(), codeId);
    expect(text.split("\n")).toContain(code);
    expect(html).toMatch(new RegExp(`font:700 32px[^>]*>${code}</p>`));
    expect(text).toContain("for 10 minutes, until 09:40 UTC");
    expect(subject).not.toContain(code);
  });

  it.each(withoutCode)("%s contains no code", (template) => {
    const codeId = randomUUID();
    expect(rendered({ template, codeId }).text).not.toContain(mailCode(env(), codeId));
  });
});

describe("single templates", () => {
  it("address_taken says that an account exists and how to sign in", () => {
    const { text } = rendered({ template: "address_taken" });
    expect(text).toContain("you already have an account");
    expect(text).toContain("sign out in the app, then sign in with this e-mail address");
    expect(text).toContain("choose “Forgot password” on the sign-in screen");
    expect(text).toMatch(/sign in .*reset/);
  });

  it("email_change_undone says what has changed and how to sign in again", () => {
    const { text } = rendered({ template: "email_change_undone" });
    expect(text).toMatch(/signed out.*password/);
    expect(text).toContain("choose “Forgot password”");
  });

  it("email_changed explains how to undo the change", () => {
    const undoId = randomUUID();
    const token = undoToken(env(), undoId);
    const { text, html } = rendered({ template: "email_changed", undoId });
    expect(text.split("\n")).toContain(token);
    expect(html).toContain(`>${token}</p>`);
    expect(text).toContain("within 7 days");
  });
});
