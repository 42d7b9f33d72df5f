import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { getJobQueueStatus, JobPosition, JobQueueStatus } from "../../../lib/operations/jobs.js";
import { pageQuery } from "../../../lib/page.js";

const GET = operatorRead({
  summary: "List dead and waiting jobs.",
  scope: "jobs",
  query: pageQuery(JobPosition),
  reply: JobQueueStatus,
  read: ({ ctx, query }) => getJobQueueStatus(ctx, query),
});

export default route("/api/ops/jobs", { GET });
