import { verifyAudit } from "../audit/verification.js";
import type { Context } from "../context.js";
import { writeGauges } from "../db/write-gauges.js";
import { auditBroken } from "../observability/log-lines/audit.js";
import { seriesName } from "../observability/metrics.js";
import type { CronRun } from "./cron.js";
import { moveCursor, readCursor } from "./cursor.js";

const cursor = "audit_verification";

/** Verify the audit log from where the last run stopped, and set the gauge of the alert. A broken part is verified again in each run. */
export async function checkAudit(ctx: Context, { lease, endMs }: CronRun) {
  const from = Number(await readCursor(ctx, cursor));
  const { findings, ...found } = await verifyAudit(ctx, endMs, { from });
  for (const { kind, firstId, lastId } of findings) {
    auditBroken(ctx.correlationId, { reason: kind, lastId, count: lastId - firstId + 1 });
  }
  if (findings.length > 0 || found.isComplete) {
    const value = findings.length > 0 ? 1 : 0;
    await writeGauges(ctx, new Map([[seriesName("audit_chain_broken"), value]]));
  }
  if (findings.length === 0) {
    await moveCursor(ctx, lease, cursor, found.isComplete ? "" : String(found.verifiedTo));
  }
  return { ...found, findings: findings.length };
}
