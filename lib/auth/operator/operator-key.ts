import { securityEvent } from "../../audit/security-events.js";
import type { Context } from "../../context.js";
import { equalSecrets } from "../../crypto/secret.js";
import type { Env } from "../../env.js";
import { AppError } from "../../errors.js";
import type { Operation, Operator } from "./operator.js";
import { isInScope, parseOperatorToken, verifyOperatorToken } from "./verify-operator-token.js";

export type OperatorKey = { kind: "break_glass" } | { kind: "token"; id: string; secret: string };

export function parseOperatorKey(env: Env, text: string): OperatorKey | undefined {
  if (equalSecrets(text, env.ops.breakGlassToken)) return { kind: "break_glass" };
  const token = parseOperatorToken(text);
  return token && { kind: "token", ...token };
}

/** Records the use as a security event; see `break-glass.ts`. Throws `token_invalid`, `operator_token_ended`, `forbidden`. */
export async function requireOperatorKeyHolder(
  ctx: Context,
  key: OperatorKey,
  operation: Operation,
): Promise<Operator> {
  if (key.kind === "break_glass") {
    // A static import would add the queue and the alerts to every function.
    const { useBreakGlass } = await import("./break-glass.js");
    return useBreakGlass(ctx, operation);
  }
  const { id, scopes } = await verifyOperatorToken(ctx, key);
  const data = { account: id, operation: `${operation.scope}:${operation.kind}` };
  securityEvent(ctx, "operator_token_used", { data });
  if (!isInScope(scopes, operation)) throw new AppError("forbidden");
  return { kind: "token", id };
}
