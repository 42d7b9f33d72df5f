import { and, eq, isNull, lt, or } from "drizzle-orm";
import { securityEvent } from "../../audit/security-events.js";
import type { Context } from "../../context.js";
import { equalSecrets, hashesWithKeyId } from "../../crypto/secret.js";
import { users } from "../../db/schema/accounts.js";
import { operatorTokens } from "../../db/schema/operators.js";
import { AppError } from "../../errors.js";
import type { Operation } from "./operator.js";

const tokenPattern = /^ops_([\da-f]{16})_([\w-]{43})$/;
export const operatorTokenPurpose = "operator-token";
const lastUsedResolutionMs = 60_000;

export function parseOperatorToken(text: string): { id: string; secret: string } | undefined {
  const [, id, secret] = tokenPattern.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** Throws `token_invalid`; `operator_token_ended` only when the secret is right. */
export async function verifyOperatorToken(
  ctx: Context,
  { id, secret }: { id: string; secret: string },
): Promise<{ id: string; scopes: string[] }> {
  const [found] = await ctx.db
    .select({ token: operatorTokens, purgeAt: users.purgeAt })
    .from(operatorTokens)
    .innerJoin(users, eq(users.id, operatorTokens.createdBy))
    .where(eq(operatorTokens.id, id));
  const token = found?.token;
  const isGenuine = hashesWithKeyId(ctx.env, operatorTokenPurpose, `${id}.${secret}`)
    .map((hash) => equalSecrets(hash, token?.secretHash))
    .includes(true);
  if (!found || !token || !isGenuine) {
    securityEvent(ctx, "operator_token_invalid", { data: { account: id, reason: "secret" } });
    throw new AppError("token_invalid");
  }
  // While the deletion of its maker is pending; cancelling that makes it valid again.
  if (found.purgeAt) throw new AppError("operator_token_ended");
  const state = stateOf(token, ctx.now);
  if (state !== "live") {
    // A job with an expired token repeats its call; only a revoked token may be stolen.
    if (state === "revoked") {
      securityEvent(ctx, "operator_token_invalid", { data: { account: id, reason: state } });
    }
    throw new AppError("operator_token_ended");
  }
  ctx.after(() => markUsed(ctx, id));
  return { id, scopes: token.scopes };
}

/** No token may manage operators, whatever its scopes. */
export function isInScope(scopes: string[], { scope, kind }: Operation): boolean {
  if (scope === "operator") return false;
  return scopes.some((tokenScope) => {
    const [noun, verb] = tokenScope.split(":");
    return (noun === "*" || noun === scope) && (verb === "*" || verb === kind);
  });
}

export function stateOf(
  { revokedAt, expiresAt }: { revokedAt: Date | null; expiresAt: Date },
  now: Date,
): "live" | "expired" | "revoked" {
  if (revokedAt) return "revoked";
  return expiresAt <= now ? "expired" : "live";
}

async function markUsed({ db, now }: Context, id: string): Promise<void> {
  const before = new Date(now.getTime() - lastUsedResolutionMs);
  const isDue = or(isNull(operatorTokens.lastUsedAt), lt(operatorTokens.lastUsedAt, before));
  await db
    .update(operatorTokens)
    .set({ lastUsedAt: now })
    .where(and(eq(operatorTokens.id, id), isDue));
}
