import { sql } from "drizzle-orm";
import { verifyAudit } from "../../audit/verification.js";
import type { Context } from "../../context.js";
import { telemetryGauges } from "../../db/schema/telemetry.js";
import { auditBroken } from "../../observability/log-lines/audit.js";
import { seriesName } from "../../observability/metrics.js";
import type { CronRun } from "../cron.js";
import { moveCursor, readCursor } from "../cursor.js";

const cursor = "audit_verification";

/** Verify the audit log from where the last run stopped, and set the gauge of the alert. A broken part is verified again in each run. */
export async function checkAudit(ctx: Context, { lease, endMs }: CronRun) {
  const from = Number(await readCursor(ctx, cursor));
  const { findings, ...found } = await verifyAudit(ctx, endMs, { from });
  for (const { kind, firstId, lastId } of findings) {
    auditBroken(ctx.correlationId, { reason: kind, lastId, count: lastId - firstId + 1 });
  }
  if (findings.length > 0 || found.isComplete) await setGauge(ctx, findings.length > 0 ? 1 : 0);
  if (findings.length === 0) {
    await moveCursor(ctx, lease, cursor, found.isComplete ? "" : String(found.verifiedTo));
  }
  return { ...found, findings: findings.length };
}

async function setGauge(ctx: Context, value: number): Promise<void> {
  const row = { series: seriesName("audit_chain_broken"), value, measuredAt: sql`now()` };
  await ctx.db
    .insert(telemetryGauges)
    .values(row)
    .onConflictDoUpdate({
      target: telemetryGauges.series,
      set: { value: row.value, measuredAt: row.measuredAt },
    });
}
