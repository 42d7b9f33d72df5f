import { type Anchor, AuditVerification, verifyAudit } from "../audit/verification.js";
import type { Context } from "../context.js";

/** What an operator is told of the audit log. */
export const AuditVerdict = AuditVerification;

const budgetMs = 10_000;

/**
 * Compare the audit log with its seals, and with one that was seen elsewhere, for at most 10 s: a log
 * that is too long for it is compared from its beginning as far as it goes.
 */
export function verifyAuditNow(ctx: Context, anchor: Anchor | undefined) {
  return verifyAudit(ctx, performance.now() + budgetMs, { anchor });
}
