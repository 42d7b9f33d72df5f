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
import { liveness, requireLive } from "./session/live-record.js";
import { issueAccessToken } from "./token/access-token.js";

export const Reauthentication = z.strictObject({
  password: z
    .string()
    .min(1)
    .max(512)
    .meta({ examples: ["correct horse battery"] })
    .optional(),
  otp: Otp.optional(),
});
export type Reauthentication = z.infer<typeof Reauthentication>;

/** An access token alone, of the same session. The lifetime is in seconds. */
export const FreshAccessToken = z
  .strictObject({ accessToken: z.string(), expiresIn: z.int() })
  .meta({ id: "FreshAccessToken" });
export type FreshAccessToken = z.infer<typeof FreshAccessToken>;

/**
 * An access token whose `auth_time` is now, for whoever shows again that the account is theirs: the
 * password, and the second factor where there is one, which also does alone; a guest has nothing to show.
 * Only the token says so: the session, and with it whatever a refresh gives, stays as it was. Throws
 * `invalid_credentials`, `otp_required`, `otp_invalid`, and `session_revoked` or `session_expired` where
 * the record says so, though the key be there still: it would renew itself. Source: OWASP ASVS 5.0, 7.5.1.
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
      liveness,
    })
    .from(users)
    .innerJoin(sessions, and(eq(sessions.userId, users.id), eq(sessions.id, sessionId)))
    .where(eq(users.id, userId));
  if (!account) throw new AppError("session_revoked");
  requireLive(ctx, account.liveness);
  const shown = account.isGuest ? [] : await requireShown(ctx, account, input);
  // What the session began with, not what the bearer says: its factor may have been removed since.
  const authMethods = [...new Set([...account.authMethods, ...shown])];
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

async function requireShown(
  ctx: Context,
  account: FactorOwner & { passwordHash: string | null },
  { password, otp }: Reauthentication,
): Promise<string[]> {
  if (password === undefined && otp === undefined) {
    const field = { pointer: "", code: "required", message: "Send the password or a code." };
    throw new AppError("validation_failed", { fields: [field] });
  }
  const shown: string[] = [];
  if (password !== undefined) {
    const matches = await passwordMatches(account.passwordHash, password);
    if (!matches) throw new AppError("invalid_credentials");
    shown.push("pwd");
    if (account.sealedSecret === null) return shown;
  }
  if (otp === undefined) throw new AppError("otp_required");
  await consumeOtp(ctx, account, otp);
  return [...shown, "otp"];
}
