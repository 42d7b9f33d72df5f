import {
  PasswordResetRequest,
  requestPasswordReset,
} from "../../lib/auth/password/reset-password.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { deviceHeader } from "../../lib/http/rotation-headers.js";
import { route } from "../../lib/http/route.js";

const POST = endpoint({
  summary: "Mail a code for a new password. 202, also for an unknown address.",
  auth: "anonymous",
  limits: ["auth-calls"],
  body: PasswordResetRequest,
  headers: ["Device-Id"],
  replies: { 202: null },
  errors: [],
  handle: ({ ctx, headers, body }) =>
    requestPasswordReset(ctx, body, body.device?.id ?? deviceHeader(headers)),
});

export default route("/api/auth/forgot-password", { POST });
