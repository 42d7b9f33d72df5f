import { startDrill } from "../backups/start-drill.js";
import type { Context } from "../context.js";
import { type Cron, type CronReport, runCron } from "./cron.js";
import { cronPeriods } from "./scheduled-jobs.js";

/** Only starts the drill: each tick then runs one of its steps. */
export const restoreDrillCron: Cron = {
  name: "restore-drill",
  period: cronPeriods["restore-drill"],
  leaseSeconds: 55,
  budgetSeconds: 50,
  parts: [["start_drill", (ctx) => startDrill(ctx), { budgetSeconds: 45 }]],
};

export async function startDrillOfMonth(ctx: Context): Promise<CronReport> {
  const { report, failure } = await runCron(ctx, restoreDrillCron);
  if (failure) throw failure;
  return report;
}
