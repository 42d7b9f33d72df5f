import { createGuest, NewGuest } from "../../lib/auth/guest/create-guest.js";
import { resumeSession } from "../../lib/auth/resume-session.js";
import { TokenPair } from "../../lib/auth/token/token-pair.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";

const POST = endpoint({
  summary: "Create a guest account and sign in. Registering upgrades it later.",
  auth: "anonymous",
  limits: ["auth-calls", "guest-accounts"],
  body: NewGuest,
  identify: ({ device }) => ({ device: device?.id }),
  replies: { 201: TokenPair },
  errors: ["session_revoked", "session_expired"],
  handle: ({ ctx, body, caller }) => createGuest(ctx, body, caller),
  replay: ({ ctx, resultId }) => resumeSession(ctx, resultId),
});

export default route("/api/auth/guest", { POST });
