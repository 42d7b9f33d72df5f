import { retireAudit } from "../audit/retirement.js";
import { sealAudit } from "../audit/seal.js";
import type { Context } from "../context.js";
import { eraseLateRows, purgeDue } from "../privacy/purge.js";
import { reconcileErasures } from "../privacy/replay.js";
import { dropOldPartitions, ensurePartitions } from "../telemetry/partitions.js";
import { pruneTelemetry } from "../telemetry/prune.js";
import { checkAudit } from "./cleanup/check-audit.js";
import { pruneExpired } from "./cleanup/expired.js";
import { pruneIdleSessions } from "./cleanup/idle-sessions.js";
import { type Cron, type CronReport, runCron } from "./cron.js";
import { cronPeriods } from "./scheduled-jobs.js";

export const cleanupCron: Cron = {
  name: "cleanup",
  period: cronPeriods.cleanup,
  leaseSeconds: 180,
  budgetSeconds: 150,
  parts: [
    ["seal_audit", (ctx, { endMs }) => sealAudit(ctx, endMs)],
    ["check_audit", checkAudit, { budgetSeconds: 30 }],
    ["retire_audit", (ctx, { endMs }) => retireAudit(ctx, endMs), { budgetSeconds: 15 }],
    ["purge_accounts", (ctx, { endMs }) => purgeDue(ctx, endMs), { budgetSeconds: 30 }],
    ["erase_late_rows", eraseLateRows],
    [
      "reconcile_erasures",
      (ctx, { endMs }) => reconcileErasures(ctx, endMs),
      { budgetSeconds: 15 },
    ],
    ["prune_expired", (ctx, { endMs }) => pruneExpired(ctx, endMs), { budgetSeconds: 40 }],
    ["prune_idle_sessions", pruneIdleSessions, { budgetSeconds: 15 }],
    ["ensure_partitions", async (ctx) => ({ made: await ensurePartitions(ctx) })],
    ["drop_old_partitions", async (ctx) => ({ dropped: await dropOldPartitions(ctx) })],
    ["prune_telemetry", pruneTelemetry, { budgetSeconds: 20 }],
  ],
};

/** Throws the first failure after all parts ran. */
export async function cleanUp(ctx: Context): Promise<CronReport> {
  const { report, failure } = await runCron(ctx, cleanupCron);
  if (failure) throw failure;
  return report;
}
