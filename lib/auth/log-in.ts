import { and, eq, type SQL } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { violatesUnique } from "../db/failures.js";
import { users } from "../db/schema/accounts.js";
import { AppError } from "../errors.js";
import { attemptSucceeded } from "../rate-limit/attempt-events.js";
import { takeReserved } from "../rate-limit/count.js";
import { canonicalEmail } from "../user/email-address.js";
import { mergeGuest } from "./guest/merge-guest.js";
import { findShownGuest, type ShownBearer } from "./guest/shown-guest.js";
import { type Candidates, findCandidates, type LoginAccount } from "./login-candidates.js";
import { type DelayedClient, undelayedCandidates } from "./login-delay.js";
import { hashPassword, isOutdated, passwordMatches } from "./password/password.js";
import { factorUnchanged, Otp, showSecondFactor } from "./second-factor/second-factor.js";
import { Device } from "./session/device.js";
import {
  beginSession,
  newSession,
  type SignInClient,
  type SignInWrite,
} from "./session/sign-in.js";
import { bindByCode, findClaimByCode, mailSignInCode } from "./sign-in-code.js";
import type { TokenPair } from "./token/token-pair.js";

export const Credentials = z
  .strictObject({
    email: z
      .string()
      .max(254)
      .meta({ examples: ["ada@example.com"] }),
    password: z
      .string()
      .min(1)
      .max(512)
      .meta({ examples: ["correct horse battery"] }),
    device: Device.optional(),
    /** A second factor's code, or the mailed one that a claim needs from elsewhere. */
    otp: Otp.optional(),
  })
  .meta({ id: "Credentials" });
export type Credentials = z.infer<typeof Credentials>;

/**
 * Start a session on the account that the password opens: the one that the address is bound to, else the
 * claim made on this device. From elsewhere a claim needs the code that a failed login mails. A guest
 * whose bearer is shown is merged into the account. Throws `invalid_credentials`, after the same work,
 * for an unknown address and for a wrong password alike; after the right one `account_suspended`,
 * `account_blocked`, `deletion_pending`, and `otp_required` or `otp_invalid` where there is a second
 * factor; `token_expired` for a guest who needs a refresh, whatever the credentials.
 * With `operatorsOnly` an account that does not operate is as unknown as one that does not exist.
 */
export async function logIn(
  ctx: Context,
  input: Credentials,
  client: SignInClient & DelayedClient,
  bearer: ShownBearer,
  { operatorsOnly = false } = {},
): Promise<TokenPair> {
  // An address that cannot exist is looked up like any other, to cost the same.
  const email = canonicalEmail(input.email) ?? "";
  const [candidates, guest] = await Promise.all([
    findCandidates(ctx, email, input.device?.id),
    findShownGuest(ctx, bearer),
  ]);
  const found = operatorsOnly ? operatorOf(candidates) : candidates;
  const allowed = undelayedCandidates(ctx, client, bearer.claims, found);
  const comparesClaim = input.device === undefined || found.claim !== null;
  const proven =
    (await proveByPassword(allowed, comparesClaim, input.password)) ??
    // In a delay one candidate alone may be compared. A claim never operates.
    (client.delayedUntil === null && !operatorsOnly ? await proveByCode(ctx, email, input) : null);
  if (!proven) {
    // A login with a code was mailed one before.
    mailSignInCode(ctx, email, { send: found.needsCode && input.otp === undefined });
    throw new AppError("invalid_credentials");
  }
  const { user, passwordHash, codeId } = proven;
  // It was a guess at the bound account too, if there is one: it stays counted, whatever comes of it.
  const kept = proven.isClaim ? takeReserved(client.reserved) : null;
  if (user.suspendedAt) throw new AppError("account_suspended");
  if (user.isBlocked) throw new AppError("account_blocked");
  if (user.purgeAt) throw new AppError("deletion_pending");

  const authMethods = await showSecondFactor(ctx, user, input.otp);
  const row = newSession(ctx, user, input.device, client, authMethods);
  if (isOutdated(passwordHash)) ctx.after(() => rehash(ctx, user.id, passwordHash, input.password));
  const binding = codeId === undefined ? null : bindByCode(ctx, user, email, codeId);
  const isMerging = guest !== null && guest !== "upgraded" && guest.id !== user.id;
  const merging = isMerging ? mergeGuest(ctx, guest.id, user.id) : null;
  const signedIn = binding ? { ...user, email, claimedEmail: null } : user;
  try {
    const pair = await beginSession(ctx, signedIn, row, client, {
      ...binding,
      ...merging,
      unchanged: and(
        eq(users.passwordHash, passwordHash),
        factorUnchanged(authMethods),
        binding?.unchanged,
      ) as SQL,
      alongside: [...(binding?.alongside ?? []), ...(merging?.alongside ?? [])],
    } satisfies SignInWrite);
    if (kept) attemptSucceeded(ctx, kept, user.id);
    return pair;
  } catch (error) {
    // The address has just been bound to another account, which this password does not open.
    if (violatesUnique(error, "users_email_key")) throw new AppError("invalid_credentials");
    throw error;
  }
}

/** The bound account where it operates. A claim never does, and no mailed code makes it. */
const operatorOf = ({ bound }: Candidates) => ({
  bound: bound?.role === "user" ? null : bound,
  claim: null,
  needsCode: false,
});

interface Proven {
  user: LoginAccount;
  passwordHash: string;
  /** Opened by the password alone, and not bound. */
  isClaim: boolean;
  /** The mailed code that binds the address. */
  codeId?: string;
}

/** Costs as many hashes as `comparesClaim` says, whatever accounts there are. */
async function proveByPassword(
  { bound, claim }: Candidates,
  comparesClaim: boolean,
  password: string,
): Promise<Proven | null> {
  const matches = async (account: LoginAccount | null, isClaim: boolean) => {
    const passwordHash = account?.passwordHash ?? null;
    const isRight = await passwordMatches(passwordHash, password);
    return account && passwordHash !== null && isRight
      ? { user: account, passwordHash, isClaim }
      : null;
  };
  const [asBound, asClaim] = await Promise.all([
    matches(bound, false),
    comparesClaim ? matches(claim, true) : null,
  ]);
  return asBound ?? asClaim;
}

async function proveByCode(
  ctx: Context,
  email: string,
  { password, otp }: Credentials,
): Promise<Proven | null> {
  if (otp === undefined) return null;
  const found = await findClaimByCode(ctx, email, { otp, password });
  if (!found) return null;
  const { user, codeId } = found;
  const { passwordHash } = user;
  if (passwordHash === null) return null;
  // Only an account with a confirmed address has a second factor, and this one has none yet.
  const account = { ...user, sealedSecret: null };
  return { user: account, passwordHash, isClaim: false, codeId };
}

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
