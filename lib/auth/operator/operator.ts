import { securityEvent } from "../../audit/security-events.js";
import type { Actor, Context } from "../../context.js";
import { AppError } from "../../errors.js";
import type { AccessClaims } from "../token/access-token.js";
import type { OperatorScope } from "./scopes.js";

export interface Operation {
  /** The noun as the CLI names it: `flag`, `block`, `drain`. */
  scope: OperatorScope;
  kind: "read" | "change";
  /** Whether the break-glass token may do it. */
  breakGlass?: boolean;
}

export interface Operator {
  kind: "person" | "token" | "break_glass";
  /** The person's user id, the token's id, or `break_glass`. */
  id: string;
  /** Set for a person only. */
  role?: "operator" | "admin";
}

/** Throws `forbidden`, or `reauth_required` for a change when `claims` do not prove a second factor. */
export function requireOperator(
  ctx: Context,
  actor: Actor,
  claims: AccessClaims,
  operation: Operation,
): Operator {
  const role = requireOperatorRole(ctx, actor);
  if (operation.kind === "change" && !claims.authMethods.includes("otp")) {
    throw new AppError("reauth_required");
  }
  return { kind: "person", id: actor.userId, role };
}

/** Never `user`: a session without a second factor acts as a user. Throws `forbidden`, and records it as a security event. */
export function requireOperatorRole(ctx: Context, { userId, role }: Actor): "operator" | "admin" {
  if (role !== "user") return role;
  securityEvent(ctx, "privilege_escalation_attempt", { userId });
  throw new AppError("forbidden");
}

/** Throws `forbidden`, also for tokens, and records it as a security event. */
export function requireAdmin(ctx: Context, operator: Operator): void {
  if (operator.role === "admin") return;
  const userId = operator.kind === "person" ? operator.id : undefined;
  securityEvent(ctx, "privilege_escalation_attempt", {
    userId,
    data: { account: operator.id, reason: "not_admin" },
  });
  throw new AppError("forbidden");
}
