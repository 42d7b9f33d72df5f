import { and, eq, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { violatesUnique } from "../db/failures.js";
import { users } from "../db/schema/accounts.js";
import { AppError } from "../errors.js";
import { recordSuccessfulAttempt } from "../rate-limit/attempt-events.js";
import { consumeReservation } from "../rate-limit/count.js";
import { canonicalEmail } from "../user/email-address.js";
import { findBearerGuest, type PresentedBearer } from "./guest/bearer-guest.js";
import { mergeGuest } from "./guest/merge-guest.js";
import { type Candidates, findCandidates, type LoginAccount } from "./login-candidates.js";
import { comparableCandidates, type LoginDelay } from "./login-delay.js";
import { hashPassword, isOutdated, passwordMatches } from "./password/password.js";
import { factorUnchanged, Otp, requireSecondFactor } from "./second-factor/second-factor.js";
import { Device } from "./session/device.js";
import type { AccountCondition } from "./session/session.js";
import {
  createSession,
  newSessionRow,
  type SignInRequest,
  type SignInWrite,
} from "./session/sign-in.js";
import { bindByCode, claimUnchanged, findClaimByCode, mailSignInCode } from "./sign-in-code.js";
import type { TokenPair } from "./token/token-pair.js";

export const LoginCredentials = z
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
    /** A second-factor code, or the mailed sign-in code that a claim needs on another device. */
    otp: Otp.optional(),
  })
  .meta({ id: "Credentials" });
export type LoginCredentials = z.infer<typeof LoginCredentials>;

/**
 * Start a session in the account that docs/decisions/029 selects, and merge the bearer's guest into it. A failed login can
 * mail a sign-in code, which verifies the address later. Unknown addresses and wrong passwords cost the same. Throws
 * `invalid_credentials`, `rate_limited`, `service_unavailable` (retry), `token_expired` when a guest's token needs a refresh;
 * after the right password `account_suspended`, `account_blocked`, `deletion_pending`, `otp_required`, `otp_invalid`.
 */
export async function logIn(
  ctx: Context,
  input: LoginCredentials,
  client: SignInRequest & LoginDelay,
  bearer: PresentedBearer,
  { operatorsOnly = false } = {},
): Promise<TokenPair> {
  // An invalid address is looked up too: it must take the same time.
  const email = canonicalEmail(input.email) ?? "";
  const [candidates, guest] = await Promise.all([
    findCandidates(ctx, email, input.device?.id),
    findBearerGuest(ctx, bearer),
  ]);
  const found = operatorsOnly ? operatorCandidate(candidates) : candidates;
  client.reserved.accountId = found.bound?.id;
  const allowed = comparableCandidates(ctx, client, bearer.claims, found);
  const comparesClaim = input.device === undefined || found.claim !== null;
  const verified =
    (await verifyPassword(allowed, comparesClaim, input.password)) ??
    // During a delay only one candidate may be compared; a claim is never an operator.
    (client.delayedUntil === null && !operatorsOnly
      ? await verifySignInCode(ctx, email, input)
      : null);
  if (!verified) {
    mailSignInCode(ctx, email, { send: found.needsCode && input.otp === undefined });
    throw new AppError("invalid_credentials");
  }
  const { user, passwordHash, codeId } = verified;
  // Also a guess at the verified account's password: it stays counted.
  const keptReservation = verified.isClaim ? consumeReservation(client.reserved) : null;
  if (user.suspendedAt) throw new AppError("account_suspended");
  if (user.isBlocked) throw new AppError("account_blocked");
  if (user.purgeAt) throw new AppError("deletion_pending");

  const authMethods = await requireSecondFactor(ctx, user, input.otp);
  const row = newSessionRow(ctx, user, input.device, client, authMethods);
  if (isOutdated(passwordHash)) ctx.after(() => rehash(ctx, user.id, passwordHash, input.password));
  const binding = codeId === undefined ? null : bindByCode(ctx, user, email);
  const isMerging = guest !== null && guest !== "upgraded" && guest.id !== user.id;
  const merging = isMerging ? mergeGuest(ctx, guest.id, user.id) : null;
  const signedIn = binding ? { ...user, email, claimedEmail: null } : user;
  try {
    const pair = await createSession(ctx, signedIn, row, client, {
      ...merging,
      condition: binding ? claimAndPasswordUnchanged : passwordUnchanged,
      values: { passwordHash, hasFactor: authMethods.includes("otp"), codeId, email },
      statements: [...(binding?.statements ?? []), ...(merging?.statements ?? [])],
    } satisfies SignInWrite);
    if (keptReservation) recordSuccessfulAttempt(ctx, keptReservation, user.id);
    return pair;
  } catch (error) {
    if (violatesUnique(error, "users_email_key")) throw new AppError("invalid_credentials");
    throw error;
  }
}

const passwordUnchanged: AccountCondition = {
  unchanged: sql`${eq(users.passwordHash, sql.placeholder("passwordHash"))} and ${factorUnchanged}`,
};

const claimAndPasswordUnchanged: AccountCondition = {
  withParts: claimUnchanged.withParts,
  unchanged: sql`${passwordUnchanged.unchanged} and ${claimUnchanged.unchanged}`,
};

const operatorCandidate = ({ bound }: Candidates) => ({
  bound: bound?.role === "user" ? null : bound,
  claim: null,
  needsCode: false,
});

interface VerifiedLogin {
  user: LoginAccount;
  passwordHash: string;
  isClaim: boolean;
  codeId?: string;
}

/** The number of hashes must not depend on which accounts exist. */
async function verifyPassword(
  { bound, claim }: Candidates,
  comparesClaim: boolean,
  password: string,
): Promise<VerifiedLogin | null> {
  const matches = async (account: LoginAccount | null, isClaim: boolean) => {
    const passwordHash = account?.passwordHash ?? null;
    const isMatch = await passwordMatches(passwordHash, password);
    return account && passwordHash !== null && isMatch
      ? { user: account, passwordHash, isClaim }
      : null;
  };
  const [boundLogin, claimLogin] = await Promise.all([
    matches(bound, false),
    comparesClaim ? matches(claim, true) : null,
  ]);
  return boundLogin ?? claimLogin;
}

async function verifySignInCode(
  ctx: Context,
  email: string,
  { password, otp }: LoginCredentials,
): Promise<VerifiedLogin | null> {
  if (otp === undefined) return null;
  const found = await findClaimByCode(ctx, email, { otp, password });
  if (!found) return null;
  const { user, codeId } = found;
  const { passwordHash } = user;
  if (passwordHash === null) return null;
  // Only an account with a verified address can have a second factor.
  const account = { ...user, sealedSecret: null };
  return { user: account, passwordHash, isClaim: false, codeId };
}

async function rehash(
  ctx: Context,
  userId: string,
  outdatedHash: string,
  password: string,
): Promise<void> {
  const passwordHash = await hashPassword(password);
  await ctx.db
    .update(users)
    .set({ passwordHash })
    .where(and(eq(users.id, userId), eq(users.passwordHash, outdatedHash)));
}
