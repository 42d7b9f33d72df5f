import { sql } from "drizzle-orm";
import { auditIfAny, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { backupCheckCron } from "./backup-check.js";
import { cleanupCron } from "./cleanup.js";
import { type Cron, type CronReport, runCron } from "./cron.js";
import { restoreDrillCron } from "./restore-drill.js";
import type { Job } from "./scheduled-jobs.js";
import { tickCron } from "./tick.js";

const crons: Record<Job, Cron> = {
  tick: tickCron,
  cleanup: cleanupCron,
  "backup-check": backupCheckCron,
  "restore-drill": restoreDrillCron,
};
/** Below the timeout of the CLI. */
const budgetSeconds = 10;

/**
 * Run the current slot again, or `only` these parts of it, unless it is running; writes an audit row. Reports failed parts.
 * After 10 s the rest waits for the next cron call.
 */
export async function runNow(
  ctx: Context,
  name: string,
  by: OperatorAct,
  only?: readonly string[],
): Promise<CronReport> {
  const cron = Object.values(crons).find((candidate) => candidate.name === name);
  if (!cron) throw new Error(`Unknown cron job: ${name}`);
  const entry = { ...by, action: "cron.run", subjectId: name } as const;
  const { report } = await runCron(ctx, cron, {
    again: true,
    budgetSeconds,
    ...(only && { only }),
    beside: (lease) => sql`${auditIfAny(ctx, entry, lease)} returning 1`,
  });
  return report;
}
