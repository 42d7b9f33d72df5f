import { randomUUID } from "node:crypto";
import { deliverNotices } from "../../alerts/deliver-notices.js";
import { alertKey, noticeOf, queueNotice } from "../../alerts/notice.js";
import { auditRow } from "../../audit/audit.js";
import { securityEvent } from "../../audit/security-events.js";
import type { Context } from "../../context.js";
import { AppError } from "../../errors.js";
import { breakGlassUnrecorded } from "../../observability/log-lines/security.js";
import type { Operation, Operator } from "./operator.js";

const holder: Operator = { kind: "break_glass", id: "break_glass" };

/**
 * Log and audit a use of the break-glass token and page the on-call operator. Without an audit row a change
 * is refused; a read is allowed, because Postgres may be down. Throws `forbidden`.
 */
export async function breakGlass(ctx: Context, operation: Operation): Promise<Operator> {
  const { scope, kind, breakGlass: isAllowed } = operation;
  const what = `${scope}:${kind}`;
  const outcome = isAllowed ? "allowed" : "refused";
  securityEvent(ctx, "break_glass", { data: { operation: what, outcome } });
  try {
    await ctx.db.batch([
      auditRow(ctx, {
        actor: { kind: "operator", id: holder.id },
        action: isAllowed ? "break_glass" : "break_glass.refused",
        subjectId: what,
      }),
      queueNotice(ctx, isAllowed ? pageOfUse(ctx, what) : pageOfRefusal(ctx, what), ctx.now),
    ]);
    ctx.after(() => deliverNotices(ctx));
  } catch (error) {
    if (isAllowed && kind === "change") throw error;
    breakGlassUnrecorded(ctx.correlationId, error);
  }
  if (!isAllowed) throw new AppError("forbidden");
  return holder;
}

function pageOfUse(ctx: Context, operation: string) {
  // Random: a caller chooses its correlation ID, and a repeated key would not page again.
  return pageOf(ctx, randomUUID(), operation);
}

/** One page a minute: an attacker must not be able to flood the pager. */
function pageOfRefusal(ctx: Context, operation: string) {
  const minute = Math.floor(ctx.now.getTime() / 60_000);
  return pageOf(ctx, `refused-${minute}`, `${operation}, refused`);
}

function pageOf(ctx: Context, label: string, what: string) {
  const rule = { name: "BreakGlassUsed", summary: "The break-glass token was used" };
  return noticeOf(rule, {
    event: "trigger",
    key: alertKey(ctx, rule.name, label),
    label: "",
    priority: "P2",
    channel: "page",
    detail: `${what}, correlation ID ${ctx.correlationId}`,
    minute: ctx.now.getTime(),
  });
}
