import { resendVerification } from "../../../lib/auth/email/verify-email.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";

const POST = endpoint({
  summary: "Mail the confirmation code again. 202, also without an address to confirm.",
  auth: "user",
  limits: ["auth-calls", "unproven-mails"],
  replies: { 202: null },
  errors: [],
  handle: ({ ctx, actor, caller }) => resendVerification(ctx, actor, caller),
});

export default route("/api/auth/verify-email/resend", { POST });
