import { securityEvent } from "../../audit/security-events.js";
import type { Actor, Context } from "../../context.js";
import { AppError } from "../../errors.js";
import type { AccessClaims } from "../token/access-token.js";

/** What an endpoint of the operators is about: a scope of tokens is one of these, or all of a kind. */
export interface Operation {
  /** The noun that is read or changed, as the CLI names it: `flag`, `block`, `drain`. */
  scope: string;
  kind: "read" | "change";
  /** True where the break-glass token may do it too. */
  breakGlass?: boolean;
}

/** Who operates. */
export interface Operator {
  kind: "person" | "token" | "break_glass";
  /** The person's user id, the token's id, or `break_glass`. */
  id: string;
  /** Of a person only. */
  role?: "operator" | "admin";
}

/**
 * Who may do this operation: an operator or admin who signed in with a second factor. Throws
 * `forbidden`, and for a change `reauth_required` unless the token says that the factor was shown: with a
 * factor enrolled, only showing it renews `auth_time`, whose age the caller checks.
 */
export function requireOperator(
  ctx: Context,
  actor: Actor,
  claims: AccessClaims,
  operation: Operation,
): Operator {
  const role = requireOperating(ctx, actor);
  if (operation.kind === "change" && !claims.authMethods.includes("otp")) {
    throw new AppError("reauth_required");
  }
  return { kind: "person", id: actor.userId, role };
}

/** The role in which a session operates: one that began with a second factor. Throws `forbidden`. */
export function requireOperating(ctx: Context, { userId, role }: Actor): "operator" | "admin" {
  if (role !== "user") return role;
  securityEvent(ctx, "privilege_escalation_attempt", { userId });
  throw new AppError("forbidden");
}

/** Only an admin decides who operates, and acts on those who do. Throws `forbidden`. */
export function requireAdmin(ctx: Context, operator: Operator): void {
  if (operator.role === "admin") return;
  const userId = operator.kind === "person" ? operator.id : undefined;
  securityEvent(ctx, "privilege_escalation_attempt", {
    userId,
    data: { account: operator.id, reason: "not_admin" },
  });
  throw new AppError("forbidden");
}
