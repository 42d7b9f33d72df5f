import {
  confirmEmailChange,
  EmailChangeConfirmation,
} from "../../../lib/auth/email/change-email.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { getUser, User } from "../../../lib/user/user.js";

const POST = endpoint({
  summary: "Confirm the new e-mail address with the mailed code. Other sessions end.",
  auth: "user",
  limits: ["auth-calls", "auth-failures"],
  body: EmailChangeConfirmation,
  replies: { 200: User },
  errors: ["code_invalid"],
  handle: ({ ctx, actor, body }) => confirmEmailChange(ctx, actor, body),
  replay: ({ ctx, actor }) => getUser(ctx, actor.userId),
});

export default route("/api/auth/change-email/confirm", { POST });
