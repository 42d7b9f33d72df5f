import { confirmEnrolment, TotpConfirmation } from "../../../lib/auth/second-factor/enrolment.js";
import {
  getStoredRecoveryCodes,
  RecoveryCodes,
} from "../../../lib/auth/second-factor/recovery-code-set.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";

const POST = endpoint({
  summary:
    "Turn on the second factor with its first code. Returns ten recovery codes; other sessions end.",
  auth: "user",
  stepUp: true,
  limits: ["default"],
  body: TotpConfirmation,
  replies: { 200: RecoveryCodes },
  errors: [
    "code_invalid",
    "second_factor_missing",
    "second_factor_enrolled",
    "second_factor_changed",
  ],
  handle: ({ ctx, actor, body }) => confirmEnrolment(ctx, actor, body.code),
  replay: ({ ctx, actor, resultId }) => getStoredRecoveryCodes(ctx, actor.userId, resultId),
});

export default route("/api/auth/totp/confirm", { POST });
