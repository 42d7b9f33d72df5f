import { RefreshRequest, refresh } from "../../../lib/auth/session/refresh.js";
import { refreshClaims } from "../../../lib/auth/token/refresh-token.js";
import { TokenPair } from "../../../lib/auth/token/token-pair.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { rotationHeaders } from "../../../lib/http/rotation-headers.js";
import { route } from "../../../lib/http/route.js";

const POST = endpoint({
  summary:
    "Exchange an operator's refresh token for its successor; repeat with the same Rotation-Id.",
  auth: "anonymous",
  limits: ["refresh"],
  body: RefreshRequest,
  subject: (body) => ({ session: refreshClaims(body).sessionId }),
  replies: { 200: TokenPair },
  errors: ["rotation_id_invalid", "token_invalid", "session_revoked", "session_expired"],
  handle: ({ ctx, body, headers, client }) =>
    refresh(ctx, refreshClaims(body), {
      ...rotationHeaders(headers),
      keyState: client.keyState,
      revokeAllBefore: client.revokeAllBefore,
      operatorsOnly: true,
    }),
});

export default route("/api/ops/sign-ins/refreshes", { POST });
