import { Registration, register } from "../../lib/auth/register.js";
import { resumeSession } from "../../lib/auth/resume-session.js";
import { TokenPair } from "../../lib/auth/token/token-pair.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";

const POST = endpoint({
  summary: "Make an account, or of a guest's; the same 201 whether or not the address is in use.",
  auth: "optional",
  limits: ["auth-calls", "registrations", "unproven-mails"],
  body: Registration,
  subject: ({ device }) => ({ device: device?.id }),
  replies: { 201: TokenPair },
  errors: ["validation_failed", "token_expired", "session_revoked", "service_unavailable"],
  handle: ({ ctx, body, client, claims }) =>
    register(ctx, body, client, { claims, session: client.session }),
  replay: ({ ctx, body, resultId }) => resumeSession(ctx, resultId, body.password),
});

export default route("/api/auth/register", { POST });
