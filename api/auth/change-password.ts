import { changePassword, PasswordChange } from "../../lib/auth/password/change-password.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";

const POST = endpoint({
  summary: "Change the password. Every other session ends.",
  auth: "user",
  limits: ["auth-calls", "auth-failures"],
  body: PasswordChange,
  replies: { 204: null },
  errors: ["invalid_credentials", "password_not_set"],
  handle: ({ ctx, actor, body }) => changePassword(ctx, actor, body),
  replay: async () => undefined,
});

export default route("/api/auth/change-password", { POST });
