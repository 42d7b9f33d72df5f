import { checkAnsweredBackups } from "../backups/check.js";
import type { Context } from "../context.js";
import { type Cron, type CronReport, runCron } from "./cron.js";
import { cronPeriods } from "./scheduled-jobs.js";

export const backupCheckCron: Cron = {
  name: "backup-check",
  period: cronPeriods["backup-check"],
  leaseSeconds: 55,
  budgetSeconds: 50,
  parts: [["check_backups", (ctx) => checkAnsweredBackups(ctx), { budgetSeconds: 45 }]],
};

/**
 * Called each hour, until the day has an answer. A failed check is a result, not an error. Throws when the checks could not
 * be made.
 */
export async function checkBackupsOfDay(ctx: Context): Promise<CronReport> {
  const { report, failure } = await runCron(ctx, backupCheckCron);
  if (failure) throw failure;
  return report;
}
