import { and, eq, isNull, type SQL } from "drizzle-orm";
import * as z from "zod";
import type { Context, Role } from "../../context.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { AppError } from "../../errors.js";
import { canonicalEmail } from "../../user/email-address.js";
import { confirmedSecret } from "../second-factor/second-factor.js";
import { callerOfRequest } from "./caller-of-request.js";
import { identify } from "./identifier.js";

/** An account's ID, verified address, session ID, or correlation ID. Addresses go in bodies only, never in URLs. */
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

/** Throws `not_found`, also for a claimed address and a merged guest; `validation_failed` for an IP address. */
export async function getSubject(ctx: Context, name: string): Promise<SubjectAccount> {
  const kinds = identify(name);
  if (kinds.includes("ip")) throw isAddressError();
  const email = kinds.includes("email") ? canonicalEmail(name) : null;
  let found = email === null ? undefined : await readAccount(ctx, eq(users.email, email));
  if (kinds.includes("userId")) found = await readAccount(ctx, eq(users.id, name));
  if (!found && email === null) {
    found = await readAccount(ctx, eq(users.id, await getAccountId(ctx, name)));
  }
  if (!found) throw new AppError("not_found");
  const { sealedSecret, ...account } = found;
  return { ...account, email: maskedEmail(found.email), hasSecondFactor: sealedSecret !== null };
}

/** Of a session ID, a correlation ID or an account's own ID, also a merged guest's. Throws `not_found`, `validation_failed`. */
export async function getAccountId(ctx: Context, name: string): Promise<string> {
  const kinds = identify(name);
  if (kinds.includes("ip")) throw isAddressError();
  const [[account], [session]] = await Promise.all([
    kinds.includes("userId")
      ? ctx.db.select({ id: users.id }).from(users).where(eq(users.id, name))
      : [],
    kinds.includes("sessionId")
      ? ctx.db.select({ id: sessions.userId }).from(sessions).where(eq(sessions.id, name))
      : [],
  ]);
  const isRequest = kinds.includes("correlationId");
  const id = account?.id ?? session?.id ?? (isRequest ? await callerOfRequest(ctx, name) : null);
  if (id === null) throw new AppError("not_found");
  return id;
}

async function readAccount({ db }: Context, which: SQL) {
  const [account] = await db
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
    .where(and(isNull(users.mergedInto), which));
  return account;
}

function isAddressError(): AppError {
  const message =
    "Must name an account. To block an IP address, use `npm run ops -- block ip ADDRESS`.";
  return new AppError("validation_failed", {
    fields: [{ pointer: "", code: "account_name", message }],
  });
}

/** `a***@example.com` */
export function maskedEmail(email: string | null): string | null {
  return email === null ? null : email.replace(/^(.)[^@]*/u, "$1***");
}
