import { errors } from "jose";
import { securityEvent } from "../audit/security-events.js";
import {
  type AccessClaims,
  type ShownClaims,
  unprovenSession,
} from "../auth/token/access-token.js";
import { equalSecrets } from "../crypto/secret.js";
import { AppError } from "../errors.js";
import { bearerClaims, bearerToken, shownClaims } from "./bearer.js";
import type { Endpoint } from "./endpoint.js";
import type { Exchange } from "./exchange.js";
import { countForgedLater, requireFewForged } from "./forged-credentials.js";
import { countRefused } from "./limits.js";

const stepUpMinutes = 10;

/**
 * What the request's bearer says, without any I/O; undefined where none is asked for. A bad token is
 * counted against its sender's address after the reply.
 */
export async function authenticate(
  { auth, limits }: Endpoint,
  { ctx, request }: Exchange,
): Promise<AccessClaims | ShownClaims | undefined> {
  if (auth === "anonymous" || auth === "webhook") return undefined;
  if (auth === "cron") return requireClock({ ctx, request });
  if (auth === "metrics") return requireMetricsToken({ ctx, request });
  if (auth === "optional" && !request.headers.has("authorization")) return undefined;
  try {
    const read = auth === "optional" ? shownClaims : bearerClaims;
    const claims = await read(request, ctx.env, ctx.now);
    ctx.requestMetrics.userId = claims.userId;
    return claims;
  } catch (error) {
    if (error instanceof AppError && error.code === "token_invalid") {
      ctx.requestMetrics.tokenFailure = reasonOf(error);
      requireFewForged(ctx);
      securityEvent(ctx, "jwt_signature_invalid", {
        data: { reason: ctx.requestMetrics.tokenFailure },
      });
      countForgedLater(ctx, unprovenSession(ctx.env, shownSecret(request)));
      throw error;
    }
    if (error instanceof AppError && error.code === "token_expired") {
      ctx.requestMetrics.tokenFailure = "expired";
    }
    // Not in the route's own limits, for these may be those of sign-ins.
    if (limits.length > 0) ctx.after(() => countRefused(ctx, ["default"], ctx.address));
    throw error;
  }
}

/** What is wrong with a token, in a word. */
function reasonOf({ cause }: AppError): string {
  if (!(cause instanceof errors.JOSEError)) return "form";
  return reasons[cause.code] ?? "form";
}

const reasons: Record<string, string> = {
  [errors.JWSSignatureVerificationFailed.code]: "signature",
  [errors.JOSEAlgNotAllowed.code]: "algorithm",
  [errors.JOSENotSupported.code]: "algorithm",
  [errors.JWTClaimValidationFailed.code]: "claim",
  [errors.JOSEError.code]: "key",
};

/** Throws `reauth_required` when the caller last showed a credential too long ago. */
export function requireStepUp({ authenticatedAt }: AccessClaims, now: Date): void {
  const ageMs = now.getTime() - authenticatedAt.getTime();
  if (ageMs > stepUpMinutes * 60_000) throw new AppError("reauth_required");
}

function requireClock({ ctx, request }: Pick<Exchange, "ctx" | "request">): undefined {
  if (equalSecrets(shownSecret(request), ctx.env.cron.secret)) return;
  securityEvent(ctx, "cron_secret_invalid");
  throw new AppError("cron_secret_invalid");
}

function requireMetricsToken({ ctx, request }: Pick<Exchange, "ctx" | "request">): undefined {
  if (equalSecrets(shownSecret(request), ctx.env.metrics.token)) return;
  securityEvent(ctx, "metrics_token_invalid");
  throw new AppError("metrics_token_invalid");
}

/** The text of the request's bearer; empty when it has none, or what is none. */
export function shownSecret(request: Request): string {
  return request.headers.has("authorization") ? bearerTokenOrNothing(request) : "";
}

function bearerTokenOrNothing(request: Request): string {
  try {
    return bearerToken(request);
  } catch {
    return "";
  }
}
