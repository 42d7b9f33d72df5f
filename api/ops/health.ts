import { operatorRead } from "../../lib/http/operator-endpoint.js";
import { route } from "../../lib/http/route.js";
import { Findings } from "../../lib/operations/state/finding.js";
import { fullHealth } from "../../lib/operations/state/full-health.js";

const GET = operatorRead({
  summary: "The health that anybody may ask for, and how the work behind the requests stands.",
  scope: "health",
  breakGlass: true,
  reply: Findings,
  read: ({ ctx }) => fullHealth(ctx),
});

export default route("/api/ops/health", { GET });
