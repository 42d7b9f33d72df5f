import {
  PasswordReset,
  resetPassword,
  resetSubjectOf,
} from "../../lib/auth/password/reset-password.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { deviceHeader } from "../../lib/http/rotation-headers.js";
import { route } from "../../lib/http/route.js";

const POST = endpoint({
  summary: "Set a new password with the mailed code. Every session ends.",
  auth: "anonymous",
  limits: ["auth-calls", "auth-failures"],
  body: PasswordReset,
  identify: ({ email }) => ({ account: resetSubjectOf(email) }),
  headers: ["Device-Id"],
  replies: { 204: null },
  errors: ["code_invalid"],
  handle: ({ ctx, headers, body, caller: { reserved } }) =>
    resetPassword(ctx, body, { deviceId: body.device?.id ?? deviceHeader(headers), reserved }),
  replay: async () => undefined,
});

export default route("/api/auth/reset-password", { POST });
