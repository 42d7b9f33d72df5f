import { eq, type SQL, sql } from "drizzle-orm";
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
 * The values a subject is counted by; for a user also those of the sessions and the e-mail address, and for an e-mail
 * address those of its accounts. An address or a session need not exist. Throws `not_found` for an unknown user and `validation_failed` for any other form.
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
    return { kind: "email", values: await valuesOfEmail(ctx, email), auditedAs };
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

async function valuesOfUser(ctx: Context, userId: string): Promise<string[]> {
  const [account] = await readAccounts(ctx, eq(users.id, userId));
  if (!account) throw new AppError("not_found");
  const email = account.email ?? account.claimedEmail;
  return [...account.values, ...(email ? accountLimitKeys(ctx.env, email) : [])];
}

/** An address also counts for the accounts that it belongs to or that claim it: `default` counts each of their sessions. */
async function valuesOfEmail(ctx: Context, email: string): Promise<string[]> {
  const which = sql`${users.email} = ${email} or ${users.claimedEmail} = ${email}`;
  const accounts = await readAccounts(ctx, which);
  return [...accountLimitKeys(ctx.env, email), ...accounts.flatMap(({ values }) => values)];
}

async function readAccounts({ db }: Context, which: SQL) {
  const rows = await db
    .select({
      id: users.id,
      email: users.email,
      claimedEmail: users.claimedEmail,
      sessionIds: sql<string[]>`array(
        select id from ${sessions} where user_id = ${users}.id and revoked_at is null)`,
    })
    .from(users)
    .where(which);
  return rows.map(({ id, sessionIds, ...addresses }) => ({
    ...addresses,
    values: [id, ...sessionIds],
  }));
}
