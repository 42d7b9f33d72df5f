import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { externalCall } from "../observability/external-call.js";
import {
  mailFailed,
  mailRetried,
  mailSent,
  mailsExpired,
  mailWithheld,
} from "../observability/log-lines/mail.js";
import { type AttemptOutcome, defineKind, type Entry } from "../queue/kind.js";
import { admitMail } from "./admission.js";
import type { Mail, MailTemplate } from "./mail.js";
import { handToProvider } from "./provider.js";
import { mailKindName } from "./queue-mail.js";
import { renderMail } from "./templates.js";

/** Any template name: an unknown one is a dead letter with its own reason. */
const MailPayload = z.looseObject({
  template: z.custom<MailTemplate>((template) => typeof template === "string"),
  to: z.union([z.looseObject({ email: z.string() }), z.looseObject({ userId: z.uuid() })]),
  codeId: z.string().exactOptional(),
  undoId: z.string().exactOptional(),
  cancelId: z.string().exactOptional(),
});

interface Reads {
  /** The current verified address of the account, if the mail names an account. */
  boundEmail: string | null;
  hasAccount: boolean;
}

export const mailKind = defineKind<Mail, Reads>({
  name: mailKindName,
  payload: MailPayload,
  leaseSeconds: 60,
  attemptsMax: 12,
  backoffSeconds: { first: 15, max: 30 * 60, jitter: 0.5 },
  // Providers allow a few per second.
  concurrency: 4,
  budgetSeconds: 20,
  reads: {
    boundEmail: sql<string | null>`(
      select email from ${users} where id = cast(payload -> 'to' ->> 'userId' as uuid))`,
    hasAccount: sql<boolean>`exists (
      select 1 from ${users}
      where email = payload -> 'to' ->> 'email' or claimed_email = payload -> 'to' ->> 'email')`,
  },
  handle: send,
  log: {
    retried: (_, mail, { reason, error }, delay) =>
      mailRetried({ ...logFieldsOf(mail), reason, error, delay }),
    died: (_, mail, { reason, error }) => mailFailed({ ...logFieldsOf(mail), reason, error }),
    expired: mailsExpired,
  },
});

type MailEntry = Entry<Mail, Reads>;

async function send(ctx: Context, entry: MailEntry): Promise<AttemptOutcome<Mail>> {
  const { id, payload, reads, correlationId, createdAt } = entry;
  const to = "email" in payload.to ? payload.to.email : reads.boundEmail;
  const isForNoAccount = payload.template === "reset_password" && !reads.hasAccount;
  if (to === null || isForNoAccount) return withhold(entry, "no_address");
  const admission = await admitMail(ctx, id, to, payload.template);
  if (admission !== "admitted") return withhold(entry, admission);

  const validity = { createdAt, expiresAt: entry.expiresAt ?? createdAt };
  const message = renderMail(ctx.env, payload, validity);
  if (!message) return { end: "dead", reason: "unknown_template" };
  const answer = await externalCall(
    ctx,
    { service: "mail", operation: "send" },
    () => handToProvider(ctx.env.mail, { key: id, to, message, correlationId }),
    (result) => (result.kind === "accepted" ? "ok" : result.reason),
  );
  if (answer.kind === "accepted") {
    mailSent(logFieldsOf(entry));
    return { end: "done" };
  }
  const { reason, retryAfterSeconds } = answer;
  if (answer.kind === "final") return { end: "dead", reason };
  return {
    end: "retry",
    reason,
    afterSeconds: retryAfterSeconds,
    pauseSeconds: retryAfterSeconds,
  };
}

function withhold(
  entry: MailEntry,
  reason: "no_address" | "budget" | "suppressed",
): AttemptOutcome<Mail> {
  mailWithheld({ ...logFieldsOf(entry), reason });
  return { end: "dropped" };
}

const logFieldsOf = ({ correlationId, payload, attempt }: Entry<Mail | null>) => ({
  correlationId,
  template: payload?.template ?? "unknown",
  attempt,
});
