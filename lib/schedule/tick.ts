import { copyGateToRedis } from "../admission/mirror.js";
import { deliverNotices } from "../alerts/deliver-notices.js";
import { evaluateAlerts } from "../alerts/evaluate.js";
import { sweepSessionKeys } from "../auth/session/sweep-session-keys.js";
import { watchBackupProcess } from "../backups/check.js";
import { advanceDrill } from "../backups/drill.js";
import type { Context } from "../context.js";
import { observeRelease } from "../deployments/observe-release.js";
import { deliverDue } from "../mail/deliver.js";
import { cronPartFailed } from "../observability/log-lines/cron.js";
import { replayNewest } from "../privacy/replay.js";
import { drainEvents } from "../telemetry/drain.js";
import { measureGauges } from "../telemetry/metrics/measure-gauges.js";
import { ensurePartitions } from "../telemetry/partitions.js";
import { detectUnusualUsage } from "../telemetry/unusual-usage.js";
import { recordBreakerGauge } from "../toolkit/breaker/gauge.js";
import { probeIdleBreaker } from "../toolkit/breaker/idle-probe.js";
import { type Cron, type CronReport, runCron } from "./cron.js";
import { sendHeartbeat } from "./heartbeat.js";
import { jobKinds } from "./job-kinds.js";
import { followReconnectOrder } from "./reconnect-postgres.js";
import { runJobs } from "./run-jobs.js";
import { cronPeriods } from "./scheduled-jobs.js";

/** The lease ends before the next minute. The budgets exceed it: `runCron` keeps time for the later parts. */
export const tickCron: Cron = {
  name: "tick",
  period: cronPeriods.tick,
  leaseSeconds: 55,
  budgetSeconds: 50,
  parts: [
    [
      "drain_events",
      (ctx, { endMs }) => drainEvents(ctx, { budgetMs: endMs - performance.now() }),
      { budgetSeconds: 15 },
    ],
    ["measure_gauges", measureGauges],
    ["record_breakers", recordBreakers],
    ["evaluate_alerts", evaluateAlerts, { withoutDatabase: true }],
    ["deliver_notices", deliverNotices],
    ["ensure_partitions", async (ctx) => ({ made: await ensurePartitions(ctx) })],
    ["mirror_gate", copyGateToRedis],
    ["replay_erasures", (ctx, { endMs }) => replayNewest(ctx, endMs)],
    ["detect_unusual_usage", detectUnusualUsage],
    ["sweep_session_keys", async (ctx) => ({ sessions: await sweepSessionKeys(ctx) })],
    ["observe_release", observeRelease],
    ["deliver_mail", deliverDue, { budgetSeconds: 22 }],
    ["watch_backups", watchBackupProcess],
    ["advance_drill", (ctx) => advanceDrill(ctx), { budgetSeconds: 30 }],
    ["run_jobs", (ctx, { endMs }) => runJobs(ctx, jobKinds, endMs), { budgetSeconds: 15 }],
  ],
};

async function recordBreakers(ctx: Context): Promise<void> {
  await probeIdleBreaker(ctx);
  await recordBreakerGauge(ctx);
}

/** Sends the heartbeat if every part was done. Throws the first failure after all parts ran. */
export async function tick(ctx: Context): Promise<CronReport> {
  const [{ report, isGood, failure }] = await Promise.all([
    runCron(ctx, tickCron),
    followReconnectOrder(ctx).catch((error) =>
      cronPartFailed(ctx.correlationId, "reconnect_postgres", error),
    ),
  ]);
  if (isGood) await sendHeartbeat(ctx);
  if (failure) throw failure;
  return report;
}
