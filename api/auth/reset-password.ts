import { PasswordReset, resetPassword } from "../../lib/auth/password/reset-password.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { endSignInDelay } from "../../lib/http/limits.js";
import { deviceHeader } from "../../lib/http/rotation-headers.js";
import { route } from "../../lib/http/route.js";
import { canonicalEmail } from "../../lib/user/email-address.js";

const POST = endpoint({
  summary: "Set a new password by the code that was mailed; every session ends.",
  auth: "anonymous",
  limits: ["auth-calls", "auth-failures"],
  body: PasswordReset,
  // Counted apart from wrong passwords: whoever used those up has come for this.
  subject: (body) => ({ account: `reset ${accountOf(body)}` }),
  replies: { 204: null },
  errors: ["code_invalid", "validation_failed", "service_unavailable"],
  async handle({ ctx, headers, body, client }) {
    const deviceId = body.device?.id ?? deviceHeader(headers);
    await resetPassword(ctx, body, deviceId);
    await endSignInDelay(ctx, accountOf(body), client.reserved, deviceId);
  },
  replay: async () => undefined,
});

function accountOf({ email }: { email: string }): string {
  return canonicalEmail(email) ?? email;
}

export default route("/api/auth/reset-password", { POST });
