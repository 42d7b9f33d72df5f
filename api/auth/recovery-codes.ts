import {
  getStoredRecoveryCodes,
  RecoveryCodes,
  renewRecoveryCodes,
} from "../../lib/auth/second-factor/recovery-code-set.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";

const POST = endpoint({
  summary: "Create ten new recovery codes. The old ones become invalid.",
  auth: "user",
  stepUp: true,
  limits: ["default"],
  replies: { 200: RecoveryCodes },
  errors: ["second_factor_missing", "second_factor_changed"],
  handle: ({ ctx, actor }) => renewRecoveryCodes(ctx, actor.userId),
  replay: ({ ctx, actor, resultId }) => getStoredRecoveryCodes(ctx, actor.userId, resultId),
});

export default route("/api/auth/recovery-codes", { POST });
