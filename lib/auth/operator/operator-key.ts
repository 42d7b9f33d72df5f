import { securityEvent } from "../../audit/security-events.js";
import type { Context } from "../../context.js";
import { equalSecrets } from "../../crypto/secret.js";
import type { Env } from "../../env.js";
import { AppError } from "../../errors.js";
import { breakGlass } from "./break-glass.js";
import type { Operation, Operator } from "./operator.js";
import { isInScope, readOperatorToken, verifyOperatorToken } from "./operator-token.js";

/** What is shown in place of a person's access token. */
export type OperatorKey = { kind: "break_glass" } | { kind: "token"; id: string; secret: string };

/** Read what was shown, without any I/O; undefined when it is neither kind of key. */
export function readOperatorKey(env: Env, shown: string): OperatorKey | undefined {
  if (equalSecrets(shown, env.ops.breakGlassToken)) return { kind: "break_glass" };
  const token = readOperatorToken(shown);
  return token && { kind: "token", ...token };
}

/**
 * Who holds the key, if it may do this operation. Throws `token_invalid` for a token that nobody was
 * given, `operator_token_ended`, and `forbidden` for what is beyond the key.
 */
export async function requireKeyHolder(
  ctx: Context,
  key: OperatorKey,
  operation: Operation,
): Promise<Operator> {
  if (key.kind === "break_glass") return breakGlass(ctx, operation);
  const { id, scopes } = await verifyOperatorToken(ctx, key);
  const data = { account: id, operation: `${operation.scope}:${operation.kind}` };
  securityEvent(ctx, "operator_token_used", { data });
  if (!isInScope(scopes, operation)) throw new AppError("forbidden");
  return { kind: "token", id };
}
