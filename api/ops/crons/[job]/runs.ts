import { isBackupConfigured } from "../../../../lib/backups/configured-store.js";
import { AppError } from "../../../../lib/errors.js";
import { operatorChange } from "../../../../lib/http/operator-endpoint.js";
import { route } from "../../../../lib/http/route.js";
import { CronName } from "../../../../lib/schedule/cron-status.js";
import { runNow } from "../../../../lib/schedule/run-cron-now.js";

const POST = operatorChange({
  summary: "Run a cron now, unless it is running. Safe to repeat.",
  scope: "cron",
  body: {},
  errors: ["not_found", "backups_not_configured"],
  async change({ ctx, params: { job }, dryRun, by }) {
    const { data: name } = CronName.safeParse(job);
    if (!name) throw new AppError("not_found");
    if (name === "restore-drill" && !isBackupConfigured(ctx)) {
      throw new AppError("backups_not_configured");
    }
    if (dryRun) return { done: `Would run ${name}.`, undo: null };
    const report = await runNow(ctx, name, by);
    const outcomes = Object.entries(report.parts).map(
      ([part, { outcome }]) => `${part} ${outcome}`,
    );
    const done = report.ran
      ? `Ran ${name} of ${report.slot}: ${outcomes.join(", ")}.`
      : `${name} is already running.`;
    return { done, undo: null, detail: { ...report } };
  },
});

export default route("/api/ops/crons/:job/runs", { POST });
