import { Registration, register } from "../../lib/auth/register.js";
import { TokenPair } from "../../lib/auth/token-pair.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";

const POST = endpoint({
  summary: "Make an account and sign it in; the same 201 whether or not the address is in use.",
  auth: "anonymous",
  limits: ["auth-calls"],
  body: Registration,
  subject: ({ device }) => ({ device: device?.id }),
  replies: { 201: TokenPair },
  errors: ["validation_failed", "service_unavailable"],
  handle: ({ ctx, body, client }) => register(ctx, body, client),
});

export default route("/api/auth/register", { POST });
