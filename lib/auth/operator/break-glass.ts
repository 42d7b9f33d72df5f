import { deliverNotices } from "../../alerts/deliver-notices.js";
import { alertKey, alertNoticeOf, queueAlertNotice } from "../../alerts/notice.js";
import { auditRow } from "../../audit/audit.js";
import { securityEvent } from "../../audit/security-events.js";
import type { Context } from "../../context.js";
import { AppError } from "../../errors.js";
import { addressPrefix } from "../../ip-address.js";
import { breakGlassUnrecorded } from "../../observability/log-lines/security.js";
import type { Operation, Operator } from "./operator.js";

const breakGlassOperator: Operator = { kind: "break_glass", id: "break_glass" };

/**
 * Log and audit a use of the break-glass token and page the on-call operator. When Postgres fails, a change is refused with
 * its error; a read is allowed without audit and page. Throws `forbidden` unless the operation allows the token.
 */
export async function useBreakGlass(ctx: Context, operation: Operation): Promise<Operator> {
  const { scope, kind, breakGlass: isAllowed } = operation;
  const operationName = `${scope}:${kind}`;
  const outcome = isAllowed ? "allowed" : "refused";
  securityEvent(ctx, "break_glass", { data: { operation: operationName, outcome } });
  try {
    await ctx.db.batch([
      auditRow(ctx, {
        actor: { kind: "operator", id: breakGlassOperator.id },
        action: isAllowed ? "break_glass" : "break_glass.refused",
        subjectId: operationName,
      }),
      queueAlertNotice(ctx, pageNotice(ctx, operationName, outcome), ctx.now),
    ]);
    ctx.after(() => deliverNotices(ctx));
  } catch (error) {
    if (isAllowed && kind === "change") throw error;
    breakGlassUnrecorded(ctx.correlationId, error);
  }
  if (!isAllowed) throw new AppError("forbidden");
  return breakGlassOperator;
}

/**
 * PagerDuty deduplicates by the key: the allowed uses of one hour from one network are one incident, the refused ones
 * another. The correlation ID is not in the key, because the caller chooses it.
 */
function pageNotice(ctx: Context, operation: string, outcome: "allowed" | "refused") {
  const rule = { name: "BreakGlassUsed", summary: "The break-glass token was used" };
  const hour = ctx.now.toISOString().slice(0, "2026-01-31T08".length);
  const network = addressPrefix(ctx.address) ?? "unknown";
  return alertNoticeOf(rule, {
    event: "trigger",
    key: alertKey(ctx, rule.name, `${hour} ${network} ${outcome}`),
    label: "",
    priority: "P2",
    channel: "page",
    detail: `${operation}, ${outcome}, correlation ID ${ctx.correlationId}`,
    minute: ctx.now.getTime(),
  });
}
