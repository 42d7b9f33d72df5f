import { errors } from "jose";
import { securityEvent } from "../../audit/security-events.js";
import { type OperatorKey, parseOperatorKey } from "../../auth/operator/operator-key.js";
import {
  type AccessClaims,
  decodeUnverifiedSession,
  type PresentedClaims,
} from "../../auth/token/access-token.js";
import type { Context } from "../../context.js";
import { equalSecrets } from "../../crypto/secret.js";
import { AppError } from "../../errors.js";
import { countRefused } from "../../rate-limit/refused-requests.js";
import type { TokenFailure } from "../../request-metrics.js";
import type { Call } from "../exchange.js";
import { bearerClaims, shownClaims, shownSecret } from "./bearer.js";
import { countForgedLater, requireFewForged } from "./forged-credentials.js";

/** What the request proves without any I/O. */
export interface Credential {
  claims?: AccessClaims | PresentedClaims;
  /** An operator token or the break-glass token, not verified yet. */
  key?: OperatorKey;
}

/** Verify the token or secret that the endpoint asks for; only parse an operator key. A bad token is counted after the reply. */
export async function requireCredential({ endpoint, ctx, request }: Call): Promise<Credential> {
  const { auth, limits } = endpoint;
  const { env } = ctx;
  if (auth === "anonymous" || auth === "webhook") return {};
  const secret = shownSecret(request);
  if (auth === "cron") return requireSecret(ctx, "cron_secret_invalid", secret, env.cron.secret);
  if (auth === "metrics") {
    return requireSecret(ctx, "metrics_token_invalid", secret, env.metrics.token);
  }
  const key = auth === "operator" ? parseOperatorKey(env, secret) : undefined;
  if (key) return { key };
  if (auth === "optional" && !request.headers.has("authorization")) return {};
  try {
    const mayBeExpired = auth === "optional" || auth === "token";
    const claims = await (mayBeExpired ? shownClaims : bearerClaims)(request, env, ctx.now);
    ctx.requestMetrics.userId = claims.userId;
    return { claims };
  } catch (error) {
    if (error instanceof AppError && error.code === "token_invalid") {
      const reason = failureOf(error);
      ctx.requestMetrics.tokenFailure = reason;
      requireFewForged(ctx);
      securityEvent(ctx, "jwt_signature_invalid", { data: { reason } });
      countForgedLater(ctx, decodeUnverifiedSession(env, secret));
      throw error;
    }
    if (error instanceof AppError && error.code === "token_expired") {
      ctx.requestMetrics.tokenFailure = "expired";
    }
    // Not by the endpoint's own limits, which may be those of sign-ins.
    if (limits.length > 0) ctx.after(() => countRefused(ctx, ["default"]));
    throw error;
  }
}

function requireSecret(
  ctx: Context,
  code: "cron_secret_invalid" | "metrics_token_invalid",
  shown: string,
  expected: string | undefined,
): Credential {
  if (equalSecrets(shown, expected)) return {};
  securityEvent(ctx, code);
  throw new AppError(code);
}

function failureOf({ cause }: AppError): TokenFailure {
  return (cause instanceof errors.JOSEError && failures[cause.code]) || "form";
}

const failures: Record<string, TokenFailure> = {
  [errors.JWSSignatureVerificationFailed.code]: "signature",
  [errors.JOSEAlgNotAllowed.code]: "algorithm",
  [errors.JOSENotSupported.code]: "algorithm",
  [errors.JWTClaimValidationFailed.code]: "claim",
  [errors.JOSEError.code]: "key",
};
