import { randomUUID } from "node:crypto";
import { deliverNotices } from "../../alerts/deliver-notices.js";
import { alertKey, alertNoticeOf, queueAlertNotice } from "../../alerts/notice.js";
import { auditRow } from "../../audit/audit.js";
import { securityEvent } from "../../audit/security-events.js";
import type { Context } from "../../context.js";
import { AppError } from "../../errors.js";
import { breakGlassUnrecorded } from "../../observability/log-lines/security.js";
import type { Operation, Operator } from "./operator.js";

/** Who operates by the break-glass token: nobody knows which person that is. */
const holder: Operator = { kind: "break_glass", id: "break_glass" };

/**
 * The break-glass token is shown: tell of it in the log at once, and in the audit log before anything is
 * done; page whoever is on call. A change without its row is refused; a read goes on when Postgres is away,
 * for that is when it is needed most. Throws `forbidden` for what is not for emergencies, which is told as
 * well.
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
      queueAlertNotice(ctx, isAllowed ? pageOfUse(ctx, what) : pageOfRefusal(ctx, what), ctx.now),
    ]);
    ctx.after(() => deliverNotices(ctx));
  } catch (error) {
    if (isAllowed && kind === "change") throw error;
    breakGlassUnrecorded(ctx.correlationId, error);
  }
  if (!isAllowed) throw new AppError("forbidden");
  return holder;
}

/** Whoever is on call is told of each use: one that nobody expects is an intrusion. */
function pageOfUse(ctx: Context, operation: string) {
  // Random: a correlation ID is the caller's choice, and a second page of one key wakes nobody.
  return pageOf(ctx, randomUUID(), operation);
}

/**
 * Those of one minute are one page, with each in its log: an address has as many as the limit `default`
 * leaves it, and addresses are many.
 */
function pageOfRefusal(ctx: Context, operation: string) {
  const minute = Math.floor(ctx.now.getTime() / 60_000);
  return pageOf(ctx, `refused-${minute}`, `${operation}, refused`);
}

function pageOf(ctx: Context, label: string, what: string) {
  const rule = { name: "BreakGlassUsed", summary: "The break-glass token was used" };
  return alertNoticeOf(rule, {
    event: "trigger",
    key: alertKey(ctx, rule.name, label),
    label: "",
    priority: "P2",
    channel: "page",
    detail: `${what}, correlation ID ${ctx.correlationId}`,
    minute: ctx.now.getTime(),
  });
}
