import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { JobsShown, listJobs } from "../../../lib/operations/jobs.js";

const GET = operatorRead({
  summary: "List dead and waiting jobs.",
  scope: "jobs",
  reply: JobsShown,
  read: ({ ctx }) => listJobs(ctx),
});

export default route("/api/ops/jobs", { GET });
