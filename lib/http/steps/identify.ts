import { securityEvent } from "../../audit/security-events.js";
import { decodeUnverifiedRefreshSession } from "../../auth/token/refresh-token.js";
import type { Identity } from "../endpoint.js";
import type { Call } from "../exchange.js";
import { countForgedLater, requireFewForged } from "./forged-credentials.js";

/** Empty without `endpoint.identify`. An invalid refresh token counts as an invalid bearer token. */
export function identify({ endpoint, ctx }: Call, body: unknown): Identity {
  try {
    return endpoint.identify?.(body, ctx.env) ?? {};
  } catch (error) {
    requireFewForged(ctx);
    securityEvent(ctx, "jwt_signature_invalid", { data: { reason: "refresh_token" } });
    countForgedLater(ctx, decodeUnverifiedRefreshSession(ctx.env, refreshTokenIn(body)));
    throw error;
  }
}

function refreshTokenIn(body: unknown): string {
  const { refreshToken } = body as { refreshToken?: unknown };
  return typeof refreshToken === "string" ? refreshToken : "";
}
