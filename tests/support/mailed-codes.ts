import verifyEmail from "../../api/auth/verify-email/index.js";
import resend from "../../api/auth/verify-email/resend.js";
import type { CodePurpose } from "../../lib/auth/email/mail-code.js";
import { env } from "../../lib/env.js";
import { mailCode } from "../../lib/mail/codes.js";
import { call } from "./call.js";
import { aUser, type Person } from "./people.js";
import type { Stores } from "./stores.js";

/** The last code mailed to an e-mail address or a user ID, as the recipient sees it. */
export async function mailedCode(
  stores: Stores,
  purpose: CodePurpose,
  emailOrUserId: string,
): Promise<string> {
  const [row] = await stores.sql(
    `select id from mail_codes where purpose = $1 and $2 in (email, subject)
       and (user_id is not null or purpose = 'reset_password')
     order by created_at desc limit 1`,
    purpose,
    emailOrUserId,
  );
  if (!row?.id) throw new Error(`No ${purpose} code was mailed to ${emailOrUserId}.`);
  return mailCode(env(), row.id);
}

/** A well-formed code that differs from the given one. */
export const otherCode = (code: string) => `${code[0] === "7" ? "8" : "7"}${code.slice(1)}`;

/** Create a user with a verified e-mail address. */
export async function aConfirmedUser(
  stores: Stores,
  overrides: Record<string, unknown> = {},
): Promise<Person> {
  const person = await aUser(overrides);
  const { accessToken: token } = person;
  await call(resend, "POST", { token });
  const code = await mailedCode(stores, "verify_email", person.user.id);
  const { status, body } = await call(verifyEmail, "POST", { token, body: { code } });
  if (status !== 200)
    throw new Error(`Verifying the address returned ${status}: ${JSON.stringify(body)}`);
  return { ...person, user: body };
}

/** The queued mails to an e-mail address or a user. */
export async function queuedMail(stores: Stores, to: { email: string } | { userId: string }) {
  const rows = await stores.sql(
    "select payload, send from queue_entries where payload->'to' = $1::jsonb order by created_at",
    JSON.stringify(to),
  );
  return rows.map(({ payload, send }) => ({ ...JSON.parse(payload ?? "{}"), send: send === "t" }));
}
