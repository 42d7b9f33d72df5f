import { sealAudit } from "../audit/seal.js";
import { writeCanary } from "../backups/canary.js";
import type { Context } from "../context.js";
import { reconcileDeployments } from "../deployments/reconcile.js";
import { eraseLateRows, purgeDue } from "../privacy/purge.js";
import { reconcileErasures } from "../privacy/replay.js";
import { ensurePartitions } from "../telemetry/partitions.js";
import { checkAudit } from "./check-audit.js";
import { type Cron, type CronReport, runCron } from "./cron.js";
import { retentionParts } from "./retention/parts.js";
import { cronPeriods } from "./scheduled-jobs.js";

export const cleanupCron: Cron = {
  name: "cleanup",
  period: cronPeriods.cleanup,
  leaseSeconds: 180,
  budgetSeconds: 150,
  // Their budgets fit in that of the run: no backlog takes the time of a later part.
  parts: [
    ["write_canary", writeCanary],
    ["seal_audit", (ctx, { endMs }) => sealAudit(ctx, endMs)],
    ["check_audit", checkAudit, { budgetSeconds: 15 }],
    ["purge_accounts", (ctx, { endMs }) => purgeDue(ctx, endMs), { budgetSeconds: 20 }],
    ["erase_late_rows", eraseLateRows],
    ["reconcile_erasures", (ctx, { endMs }) => reconcileErasures(ctx, endMs), { budgetSeconds: 8 }],
    ["ensure_partitions", async (ctx) => ({ made: await ensurePartitions(ctx) })],
    ["reconcile_deployments", reconcileDeployments],
    ...retentionParts,
  ],
};

/** Throws the first failure after all parts ran. */
export async function cleanUp(ctx: Context): Promise<CronReport> {
  const { report, failure } = await runCron(ctx, cleanupCron);
  if (failure) throw failure;
  return report;
}
