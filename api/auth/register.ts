import { Registration, register } from "../../lib/auth/register.js";
import { resumeSession } from "../../lib/auth/resume-session.js";
import { TokenPair } from "../../lib/auth/token/token-pair.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";

const POST = endpoint({
  summary:
    "Create an account that claims an address, or upgrade the guest of the access token. 201, also for an address in use.",
  auth: "optional",
  limits: ["auth-calls", "registrations", "unproven-mails"],
  body: Registration,
  identify: ({ device }) => ({ device: device?.id }),
  replies: { 201: TokenPair },
  errors: ["token_expired", "session_revoked", "session_expired"],
  handle: ({ ctx, body, caller, claims }) =>
    register(ctx, body, caller, { claims, session: caller.session }),
  replay: ({ ctx, body, resultId }) => resumeSession(ctx, resultId, body.password),
});

export default route("/api/auth/register", { POST });
