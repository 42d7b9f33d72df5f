import { confirmEmailChange, EmailChangeConfirmation } from "../../../lib/auth/email/change.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { giveBackLater } from "../../../lib/http/limits.js";
import { route } from "../../../lib/http/route.js";
import { getUser, User } from "../../../lib/user/user.js";

const POST = endpoint({
  summary: "Move to the new address by the code that was mailed there; other sessions end.",
  auth: "user",
  limits: ["auth-calls", "auth-failures"],
  body: EmailChangeConfirmation,
  replies: { 200: User },
  errors: ["code_invalid"],
  async handle({ ctx, actor, body, client }) {
    const user = await confirmEmailChange(ctx, actor, body);
    giveBackLater(ctx, client.reserved);
    return user;
  },
  replay: ({ ctx, actor }) => getUser(ctx, actor.userId),
});

export default route("/api/auth/change-email/confirm", { POST });
