import { and, desc, eq, isNull, or, type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { prepared } from "../db/database.js";
import { violatesUnique } from "../db/failures.js";
import { users } from "../db/schema/accounts.js";
import { AppError } from "../errors.js";
import type { UserRow } from "../user/user.js";
import { isAccountBlocked } from "./account-block.js";
import { canonicalEmail } from "./email/address.js";
import { mergeGuest } from "./guest/merge-guest.js";
import { findShownGuest, type ShownBearer } from "./guest/shown-guest.js";
import { type DelayedClient, requireUndelayed } from "./login-delay.js";
import { hashPassword, isOutdated, passwordMatches } from "./password/password.js";
import {
  confirmedSecret,
  type FactorOwner,
  factorUnchanged,
  Otp,
  showSecondFactor,
} from "./second-factor/second-factor.js";
import { Device } from "./session/device.js";
import {
  beginSession,
  newSession,
  type SignInClient,
  type SignInWrite,
} from "./session/sign-in.js";
import { bindByCode, findClaimByCode, mailSignInCode } from "./sign-in-code.js";
import type { TokenPair } from "./token/token-pair.js";

export const Credentials = z.strictObject({
  email: z.string().max(254),
  password: z.string().min(1).max(512),
  device: Device.optional(),
  /** A second factor's code, or the one that was mailed because several accounts claim the address. */
  otp: Otp.optional(),
});
export type Credentials = z.infer<typeof Credentials>;

/**
 * Start a session for whoever knows the account's password; a guest whose bearer is shown is merged into
 * the account. Throws `invalid_credentials`, after the same work, for an unknown address and for a wrong
 * password alike; after the right one `account_suspended`, `account_blocked`, `deletion_pending`, and
 * `otp_required` or `otp_invalid` where there is a second factor; `token_expired` for a guest who needs a refresh, whatever
 * the credentials. With `operatorsOnly` every account that does not operate is as unknown as one that does not exist.
 */
export async function logIn(
  ctx: Context,
  input: Credentials,
  client: SignInClient & DelayedClient,
  bearer: ShownBearer,
  { operatorsOnly = false } = {},
): Promise<TokenPair> {
  const isServed = (user: UserRow | null) =>
    !operatorsOnly || (user !== null && user.role !== "user");
  // An address that cannot exist is looked up like any other, to cost the same.
  const email = canonicalEmail(input.email) ?? "";
  const [account, guest] = await Promise.all([
    findAccount(ctx, email, input.device?.id ?? ""),
    findShownGuest(ctx, bearer),
  ]);
  const found = isServed(account.user) ? account : unknown;
  requireUndelayed(ctx, client, bearer.claims, found.user);
  const proven = await prove(ctx, found.user, email, input);
  // A mailed code may have proven a claim.
  if (!proven || !isServed(proven.user)) {
    // Whoever typed a code has been mailed one.
    mailSignInCode(ctx, email, { send: found.isAmbiguous && input.otp === undefined });
    throw new AppError("invalid_credentials");
  }
  const { user, passwordHash, codeId } = proven;
  if (user.suspendedAt) throw new AppError("account_suspended");
  if (user.isBlocked) throw new AppError("account_blocked");
  if (user.purgeAt) throw new AppError("deletion_pending");

  const authMethods = await showSecondFactor(ctx, user, input.otp);
  const row = newSession(ctx, user, input.device, client, authMethods);
  if (isOutdated(passwordHash)) ctx.after(() => rehash(ctx, user.id, passwordHash, input.password));
  const binding = codeId === undefined ? null : bindByCode(ctx, user, email, codeId);
  const isMerging = guest !== null && guest !== "upgraded" && guest.id !== user.id;
  const merging = isMerging ? mergeGuest(ctx, guest.id, user.id) : null;
  const bound = binding ? { ...user, email, claimedEmail: null } : user;
  try {
    return await beginSession(ctx, bound, row, client, {
      ...binding,
      ...merging,
      unchanged: and(
        eq(users.passwordHash, passwordHash),
        factorUnchanged(authMethods),
        binding?.unchanged,
      ) as SQL,
      alongside: [...(binding?.alongside ?? []), ...(merging?.alongside ?? [])],
    } satisfies SignInWrite);
  } catch (error) {
    // The address has just been bound to another account, which this password does not open.
    if (violatesUnique(error, "users_email_key")) throw new AppError("invalid_credentials");
    throw error;
  }
}

/** The account that the credentials prove, by the password alone or with the code that was mailed. */
async function prove(
  ctx: Context,
  user: Account | null,
  email: string,
  { password, otp }: Credentials,
): Promise<{ user: Account; passwordHash: string; codeId?: string } | null> {
  const passwordHash = user?.passwordHash ?? null;
  const matches = await passwordMatches(passwordHash, password);
  if (user && passwordHash !== null && matches) return { user, passwordHash };
  if (otp === undefined) return null;
  const claim = await findClaimByCode(ctx, email, { otp, password });
  if (!claim?.user.passwordHash) return null;
  // Only an account with a confirmed address has a second factor, and this one has none yet.
  const claimant = { ...claim.user, sealedSecret: null };
  return { ...claim, user: claimant, passwordHash: claim.user.passwordHash };
}

type Account = UserRow & FactorOwner & { isBlocked: boolean };

const unknown = { user: null, isAmbiguous: false };

/**
 * The one account that this address and device may sign in to: the one it is bound to; else the claim
 * made on this device; else the only claim. `isAmbiguous` when several claims are left.
 */
async function findAccount(
  ctx: Context,
  email: string,
  device: string,
): Promise<{ user: Account | null; isAmbiguous: boolean }> {
  const [found] = await candidates(ctx.db).execute({ email, device });
  if (!found) return unknown;
  const { user, sealedSecret, isBlocked, total } = found;
  const isBound = user.email === email;
  const isClaimedHere = device !== "" && user.claimDevice === device;
  const isAmbiguous = !isBound && !isClaimedHere && total > 1;
  return { user: isAmbiguous ? null : { ...user, sealedSecret, isBlocked }, isAmbiguous };
}

const candidates = prepared((db) =>
  db
    .select({
      user: users,
      sealedSecret: confirmedSecret,
      isBlocked: isAccountBlocked,
      total: sql<number>`count(*) over ()::int`,
    })
    .from(users)
    .where(
      or(
        eq(users.email, sql.placeholder("email")),
        and(isNull(users.email), eq(users.claimedEmail, sql.placeholder("email"))),
      ),
    )
    .orderBy(
      sql`${users.email} is null`,
      sql`${users.claimDevice} is distinct from ${sql.placeholder("device")}::text`,
      desc(users.createdAt),
    )
    .limit(1)
    .prepare("account_by_email"),
);

/** Changes nothing when the password has been changed in the meantime. */
async function rehash(
  ctx: Context,
  userId: string,
  outdated: string,
  password: string,
): Promise<void> {
  const passwordHash = await hashPassword(password);
  await ctx.db
    .update(users)
    .set({ passwordHash })
    .where(and(eq(users.id, userId), eq(users.passwordHash, outdated)));
}
