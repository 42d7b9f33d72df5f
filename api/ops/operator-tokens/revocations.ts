import * as z from "zod";
import { requireAdmin } from "../../../lib/auth/operator/operator.js";
import {
  getOperatorToken,
  revokeOperatorToken,
} from "../../../lib/auth/operator/operator-token.js";
import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const POST = operatorChange({
  summary: "Revoke an operator token by ID or name.",
  scope: "operator",
  body: {
    token: z
      .string()
      .min(1)
      .max(64)
      .meta({ examples: ["deploy-robot"] }),
  },
  errors: ["not_found"],
  async change({ ctx, operator, body, dryRun, by: { reason } }) {
    requireAdmin(ctx, operator);
    const { id, name } = await getOperatorToken(ctx, body.token);
    if (!dryRun) await revokeOperatorToken(ctx, operator, { id, reason });
    const verb = dryRun ? "Would revoke" : "Revoked";
    return { done: `${verb} the token ${name} (${id}).`, undo: null, detail: { id, name } };
  },
});

export default route("/api/ops/operator-tokens/revocations", { POST });
