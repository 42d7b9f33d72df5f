import { operatorChange } from "../../../../lib/http/operator-endpoint.js";
import { route } from "../../../../lib/http/route.js";
import { requireDeadJob, retryJob } from "../../../../lib/operations/jobs.js";

const POST = operatorChange({
  summary: "Retry a dead job.",
  scope: "jobs",
  body: {},
  errors: ["not_found"],
  async change({ ctx, params: { jobId = "" }, dryRun, by }) {
    const { kind } = await requireDeadJob(ctx, jobId);
    if (!dryRun) await retryJob(ctx, jobId, by);
    const verb = dryRun ? "Would queue" : "Queued";
    return { done: `${verb} the ${kind} job ${jobId} for another attempt.`, undo: null };
  },
});

export default route("/api/ops/jobs/:jobId/retries", { POST });
