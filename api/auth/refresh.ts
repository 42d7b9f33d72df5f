import { RefreshRequest, refresh } from "../../lib/auth/session/refresh.js";
import { verifyRefreshToken } from "../../lib/auth/token/refresh-token.js";
import { TokenPair } from "../../lib/auth/token/token-pair.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { rotationHeaders } from "../../lib/http/rotation-headers.js";
import { route } from "../../lib/http/route.js";

const POST = endpoint({
  summary: "Refresh the tokens. Repeat a failed call with the same Rotation-Id.",
  auth: "anonymous",
  limits: ["refresh"],
  body: RefreshRequest,
  identify({ refreshToken }, env) {
    const refreshClaims = verifyRefreshToken(env, refreshToken);
    return { session: refreshClaims.sessionId, refreshClaims };
  },
  headers: ["Rotation-Id", "Device-Id"],
  replies: { 200: TokenPair },
  errors: ["rotation_id_invalid", "token_invalid", "session_revoked", "session_expired"],
  handle: ({ ctx, identity, headers, caller }) =>
    refresh(ctx, identity.refreshClaims, {
      ...rotationHeaders(headers),
      keyState: caller.keyState,
      revokeAllBefore: caller.revokeAllBefore,
    }),
});

export default route("/api/auth/refresh", { POST });
