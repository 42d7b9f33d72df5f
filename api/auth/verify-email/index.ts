import { Verification, verifyEmail } from "../../../lib/auth/email/verify-email.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { User } from "../../../lib/user/user.js";

const POST = endpoint({
  summary: "Confirm the e-mail address with the mailed code.",
  auth: "user",
  limits: ["auth-calls", "auth-failures"],
  body: Verification,
  replies: { 200: User },
  errors: ["code_invalid"],
  handle: ({ ctx, actor, body }) => verifyEmail(ctx, actor, body),
});

export default route("/api/auth/verify-email", { POST });
