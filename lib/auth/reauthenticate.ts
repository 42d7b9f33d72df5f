import { and, eq } from "drizzle-orm";
import * as z from "zod";
import type { Actor, Context } from "../context.js";
import { sessions, users } from "../db/schema/accounts.js";
import { AppError } from "../errors.js";
import { passwordMatches } from "./password/password.js";
import {
  confirmedSecret,
  consumeOtp,
  type FactorOwner,
  Otp,
} from "./second-factor/second-factor.js";
import { requireLiveStatus, sessionStatusColumns } from "./session/session-status.js";
import { issueAccessToken } from "./token/access-token.js";

export const Reauthentication = z
  .strictObject({
    password: z
      .string()
      .min(1)
      .max(512)
      .meta({ examples: ["correct horse battery"] })
      .optional(),
    otp: Otp.optional(),
  })
  .meta({ id: "Reauthentication" });
export type Reauthentication = z.infer<typeof Reauthentication>;

export const FreshAccessToken = z
  .strictObject({ accessToken: z.string(), expiresIn: z.int() })
  .meta({ id: "FreshAccessToken" });
export type FreshAccessToken = z.infer<typeof FreshAccessToken>;

/**
 * Issue an access token with a new `auth_time`; the session does not change. Needs the second factor, else the password; from a
 * guest neither. OWASP ASVS 5.0, 7.5.1. Throws `validation_failed`, `invalid_credentials`, `otp_required`, `otp_invalid`,
 * `session_revoked`, `session_expired`, `service_unavailable` (retry).
 */
export async function reauthenticate(
  ctx: Context,
  { userId, sessionId }: Actor,
  input: Reauthentication,
): Promise<FreshAccessToken> {
  const [account] = await ctx.db
    .select({
      id: users.id,
      isGuest: users.isGuest,
      email: users.email,
      passwordHash: users.passwordHash,
      sealedSecret: confirmedSecret,
      authMethods: sessions.authMethods,
      status: sessionStatusColumns,
    })
    .from(users)
    .innerJoin(sessions, and(eq(sessions.userId, users.id), eq(sessions.id, sessionId)))
    .where(eq(users.id, userId));
  if (!account) throw new AppError("session_revoked");
  requireLiveStatus(ctx, account.status);
  const provenMethods = account.isGuest ? [] : await verifyCredentials(ctx, account, input);
  // From the session's row, not the token: the factor may have been removed since.
  const authMethods = [...new Set([...account.authMethods, ...provenMethods])];
  const token = {
    userId,
    sessionId,
    authenticatedAt: ctx.now,
    authMethods,
    ...(account.email !== null && { emailVerified: true as const }),
  };
  return {
    accessToken: await issueAccessToken(ctx.env, token, ctx.now),
    expiresIn: ctx.env.jwt.accessTtlSeconds,
  };
}

/** The `amr` of what was shown. Throws `validation_failed`, `invalid_credentials`, `otp_required`, `otp_invalid`. */
export async function verifyCredentials(
  ctx: Context,
  account: FactorOwner & { passwordHash: string | null },
  { password, otp }: Reauthentication,
): Promise<string[]> {
  if (password === undefined && otp === undefined) {
    const field = { pointer: "", code: "required", message: "Send password or otp." };
    throw new AppError("validation_failed", { fields: [field] });
  }
  const provenMethods: string[] = [];
  if (password !== undefined) {
    const matches = await passwordMatches(account.passwordHash, password);
    if (!matches) throw new AppError("invalid_credentials");
    provenMethods.push("pwd");
    if (account.sealedSecret === null) return provenMethods;
  }
  if (otp === undefined) throw new AppError("otp_required");
  await consumeOtp(ctx, account, otp);
  return [...provenMethods, "otp"];
}
