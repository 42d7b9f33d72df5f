import { type Anchor, AuditVerification, verifyAudit } from "../audit/verification.js";
import type { Context } from "../context.js";

export const AuditVerificationReport = AuditVerification;

const budgetMs = 10_000;

/** Verify the audit log after `from` and an optional external anchor. Stops after 10 s; `isComplete` says whether it got to the end. */
export function verifyAuditForOperator(ctx: Context, from: number, anchor: Anchor | undefined) {
  return verifyAudit(ctx, performance.now() + budgetMs, { from, anchor });
}
