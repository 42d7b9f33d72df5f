import { and, eq, isNull } from "drizzle-orm";
import * as z from "zod";
import type { Context, Role } from "../../context.js";
import { users } from "../../db/schema/accounts.js";
import { AppError } from "../../errors.js";
import { canonicalEmail } from "../../user/email-address.js";
import { confirmedSecret } from "../second-factor/second-factor.js";

/** An account's id or verified address. Addresses go in bodies only, never in URLs. */
export const AccountName = z
  .string()
  .min(1)
  .max(254)
  .meta({ examples: ["ada@example.com"] });

export interface SubjectAccount {
  id: string;
  role: Role;
  /** Verified; masked. */
  email: string | null;
  isGuest: boolean;
  suspendedAt: Date | null;
  purgeAt: Date | null;
  hasSecondFactor: boolean;
}

/** Throws `not_found`, also for a claimed address and a merged guest. */
export async function getSubject(ctx: Context, name: string): Promise<SubjectAccount> {
  const isId = z.uuid().safeParse(name).success;
  const email = isId ? null : canonicalEmail(name);
  if (!isId && email === null) throw new AppError("not_found");
  const [found] = await ctx.db
    .select({
      id: users.id,
      role: users.role,
      email: users.email,
      isGuest: users.isGuest,
      suspendedAt: users.suspendedAt,
      purgeAt: users.purgeAt,
      sealedSecret: confirmedSecret,
    })
    .from(users)
    .where(
      and(isNull(users.mergedInto), isId ? eq(users.id, name) : eq(users.email, email as string)),
    );
  if (!found) throw new AppError("not_found");
  const { sealedSecret, ...account } = found;
  return { ...account, email: maskedEmail(found.email), hasSecondFactor: sealedSecret !== null };
}

/** `a***@example.com` */
export function maskedEmail(email: string | null): string | null {
  return email === null ? null : email.replace(/^(.)[^@]*/u, "$1***");
}
