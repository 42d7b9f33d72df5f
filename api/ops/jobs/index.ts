import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { getJobQueueStatus, JobQueueStatus } from "../../../lib/operations/jobs.js";

const GET = operatorRead({
  summary: "List dead and waiting jobs.",
  scope: "jobs",
  reply: JobQueueStatus,
  read: ({ ctx }) => getJobQueueStatus(ctx),
});

export default route("/api/ops/jobs", { GET });
