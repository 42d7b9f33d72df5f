import * as z from "zod";
import type { Context } from "../context.js";
import {
  findSuppression,
  liftSuppression,
  MailSuppression,
  SuppressionReason,
  setSuppression,
} from "../mail/suppression.js";
import { suppressionLifted } from "../observability/log-lines/mail.js";
import { pageSchema } from "../page.js";
import { EmailAddress, validEmail } from "../user/email-address.js";
import type { Act, ChangeOutcome } from "./act.js";
import { shellWord } from "./shell-word.js";

export {
  listSuppressions as listMailSuppressions,
  SuppressionPosition,
} from "../mail/suppression.js";

export const SuppressedAddress = { email: EmailAddress };
export const NewSuppression = {
  email: EmailAddress,
  cause: SuppressionReason.default("complained"),
};
export const MailSuppressions = pageSchema(MailSuppression)
  .extend({
    /** Of all, also those on other pages. */
    total: z.int(),
  })
  .meta({ id: "MailSuppressions" });
export type MailSuppressions = z.infer<typeof MailSuppressions>;

/** Of one address. Throws `validation_failed`. */
export async function findMailSuppressions(
  ctx: Context,
  address: string,
): Promise<MailSuppressions> {
  const found = await findSuppression(ctx, validEmail(address));
  return { items: found ? [found] : [], nextCursor: null, total: found ? 1 : 0 };
}

/** Audited. Throws `validation_failed`. */
export async function suppressMail(
  ctx: Context,
  { email: address, cause }: z.output<z.ZodObject<typeof NewSuppression>>,
  { by, dryRun }: Act,
) {
  const email = validEmail(address);
  if (!dryRun) await setSuppression(ctx, email, cause, by);
  return {
    done: `${dryRun ? "Would suppress" : "Suppressed"} mail to ${email}.`,
    undo: `npm run ops -- mail suppression lift ${shellWord(email)} --reason "undo"`,
  };
}

/** Audited. Does nothing for an address that is not suppressed. Throws `validation_failed`. */
export async function liftMailSuppression(
  ctx: Context,
  address: string,
  { by, dryRun }: Act,
): Promise<ChangeOutcome> {
  const email = validEmail(address);
  const found = await findSuppression(ctx, email);
  if (!found) return { done: `Mail to ${email} is already not suppressed.`, undo: null };
  const { addressHash, reason, since } = found;
  if (!dryRun) {
    await liftSuppression(ctx, email, by);
    suppressionLifted(ctx.correlationId, "operator");
  }
  const warning = reason === "complained" ? " The recipient did not want this mail." : "";
  return {
    done: `${dryRun ? "Would lift" : "Lifted"} the suppression of ${email} (${reason} at ${since}).${warning}`,
    undo: `npm run ops -- mail suppression set ${shellWord(email)} --cause ${reason} --reason "undo"`,
    detail: { addressHash, was: reason, since },
  };
}
