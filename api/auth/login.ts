import { canonicalEmail } from "../../lib/auth/email-address.js";
import { Credentials, logIn } from "../../lib/auth/log-in.js";
import { TokenPair } from "../../lib/auth/token-pair.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";

const POST = endpoint({
  summary: "Start a session on this device. 200 with a token pair, or 401 invalid_credentials.",
  auth: "anonymous",
  limits: ["auth-calls", "auth-failures"],
  body: Credentials,
  subject: ({ email, device }) => ({ device: device?.id, account: canonicalEmail(email) ?? email }),
  replies: { 200: TokenPair },
  errors: ["invalid_credentials", "service_unavailable"],
  handle: ({ ctx, body, client }) => logIn(ctx, body, client),
});

export default route("/api/auth/login", { POST });
