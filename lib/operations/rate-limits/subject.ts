import { and, eq, isNull } from "drizzle-orm";
import * as z from "zod";
import { identify } from "../../auth/operator/identifier.js";
import type { Context } from "../../context.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { AppError } from "../../errors.js";
import { addressLimitKey, addressPrefix, canonicalAddress } from "../../ip-address.js";
import { accountLimitKey, accountLimitKeys } from "../../rate-limit/account-limit-key.js";
import { canonicalEmail } from "../../user/email-address.js";

/** An IP address, a user ID, a session ID or an e-mail address. */
export const RateLimitSubject = z
  .string()
  .min(1)
  .max(254)
  .meta({ examples: ["198.51.100.7"] });

export interface ResolvedSubject {
  kind: "ip" | "user" | "session" | "email";
  /** The values it is counted by, as they occur in counter keys. */
  values: string[];
  /** Its ID in the audit log: never an e-mail address or a whole IP address. */
  auditedAs: string;
}

/**
 * The values a subject is counted by; for a user also those of the sessions and the e-mail address. An address
 * or a session need not exist. Throws `not_found` for an unknown user and `validation_failed` for any other form.
 */
export async function resolveRateLimitSubject(
  ctx: Context,
  text: string,
): Promise<ResolvedSubject> {
  const kinds = identify(text);
  const address = canonicalAddress(text);
  if (address !== undefined) {
    const auditedAs = `ip ${addressPrefix(address)}`;
    return { kind: "ip", values: [addressLimitKey(address)], auditedAs };
  }
  const email = kinds.includes("email") ? canonicalEmail(text) : null;
  if (email !== null) {
    const auditedAs = `account ${accountLimitKey(ctx.env, email)}`;
    return { kind: "email", values: accountLimitKeys(ctx.env, email), auditedAs };
  }
  if (kinds.includes("userId")) {
    return { kind: "user", values: await valuesOfUser(ctx, text), auditedAs: text };
  }
  if (kinds.includes("sessionId") || /^ops-[\da-f]{16}$/.test(text)) {
    return { kind: "session", values: [text], auditedAs: `session ${text}` };
  }
  const message = "Must be an IP address, an e-mail address, a user ID or a session ID.";
  throw new AppError("validation_failed", {
    fields: [{ pointer: "/of", code: "unknown_form", message }],
  });
}

async function valuesOfUser({ db, env }: Context, userId: string): Promise<string[]> {
  const [[user], live] = await Promise.all([
    db
      .select({ email: users.email, claimedEmail: users.claimedEmail })
      .from(users)
      .where(eq(users.id, userId)),
    db
      .select({ id: sessions.id })
      .from(sessions)
      .where(and(eq(sessions.userId, userId), isNull(sessions.revokedAt))),
  ]);
  if (!user) throw new AppError("not_found");
  const email = user.email ?? user.claimedEmail;
  return [userId, ...live.map(({ id }) => id), ...(email ? accountLimitKeys(env, email) : [])];
}
