import * as z from "zod";
import { requireAdmin } from "../../../lib/auth/operator/operator.js";
import {
  createOperatorToken,
  listOperatorTokens,
  NewOperatorToken,
  OperatorToken,
} from "../../../lib/auth/operator/operator-token.js";
import { operatorChange, operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const GET = operatorRead({
  summary: "List operator tokens, newest first, without their secrets.",
  scope: "operator",
  reply: z.strictObject({ items: z.array(OperatorToken) }),
  read: async ({ ctx }) => ({ items: await listOperatorTokens(ctx) }),
});

const POST = operatorChange({
  summary: "Create an operator token. Only this reply contains it.",
  scope: "operator",
  body: NewOperatorToken,
  errors: ["operator_token_exists"],
  async change({ ctx, operator, body, dryRun, by: { reason } }) {
    requireAdmin(ctx, operator);
    const what = `the token ${body.name} for ${body.scopes.join(", ")}`;
    if (dryRun) return { done: `Would create ${what}.`, undo: null };
    const { id, token, expiresAt } = await createOperatorToken(ctx, operator, { ...body, reason });
    return {
      done: `Created ${what}, until ${expiresAt.toISOString()}.`,
      undo: `npm run ops -- operator token revoke ${id} --reason "undo"`,
      detail: { id, token, expiresAt: expiresAt.toISOString() },
    };
  },
});

export default route("/api/ops/operator-tokens", { GET, POST });
