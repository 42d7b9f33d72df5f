import { changePassword, PasswordChange } from "../../lib/auth/password/change.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { giveBackLater } from "../../lib/http/limits.js";
import { route } from "../../lib/http/route.js";

const POST = endpoint({
  summary: "Replace the password by showing the current one; every other session ends.",
  auth: "user",
  limits: ["auth-calls", "auth-failures"],
  body: PasswordChange,
  replies: { 204: null },
  errors: ["invalid_credentials", "password_not_set", "validation_failed", "service_unavailable"],
  async handle({ ctx, actor, body, client }) {
    await changePassword(ctx, actor, body);
    giveBackLater(ctx, client.reserved);
  },
  replay: async () => undefined,
});

export default route("/api/auth/change-password", { POST });
