import { EmailChange, requestEmailChange } from "../../../lib/auth/email/change-email.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";

const POST = endpoint({
  summary:
    "Mail a code to a new e-mail address; it replaces an unverified one at once. 202, also for an address that is in use.",
  auth: "user",
  stepUp: true,
  limits: ["auth-calls", "unproven-mails"],
  body: EmailChange,
  replies: { 202: null },
  errors: ["password_not_set"],
  handle: ({ ctx, actor, body, caller }) => requestEmailChange(ctx, actor, body, caller),
  replay: async () => undefined,
});

export default route("/api/auth/change-email", { POST });
