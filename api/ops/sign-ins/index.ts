import { LoginCredentials, logIn } from "../../../lib/auth/log-in.js";
import { resumeSession } from "../../../lib/auth/resume-session.js";
import { TokenPair } from "../../../lib/auth/token/token-pair.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { canonicalEmail } from "../../../lib/user/email-address.js";

const POST = endpoint({
  summary:
    "Sign in as an operator, also while /api/auth is switched off. Other accounts get 401 invalid_credentials.",
  // As for POST /api/auth/login: a token of the account passes a delay that others caused.
  auth: "optional",
  // Shared with POST /api/auth/login, so that guesses at both count together.
  limits: ["auth-calls", "auth-failures", "account"],
  body: LoginCredentials,
  identify: ({ email, device }) => ({
    device: device?.id,
    account: canonicalEmail(email) ?? email,
  }),
  replies: { 200: TokenPair },
  errors: [
    "invalid_credentials",
    "otp_required",
    "otp_invalid",
    "account_suspended",
    "deletion_pending",
    "token_expired",
    "session_revoked",
    "session_expired",
  ],
  handle: ({ ctx, body, caller, claims }) =>
    logIn(ctx, body, caller, { claims, session: caller.session }, { operatorsOnly: true }),
  replay: ({ ctx, body, resultId }) => resumeSession(ctx, resultId, body.password),
});

export default route("/api/ops/sign-ins", { POST });
