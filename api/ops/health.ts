import { operatorRead } from "../../lib/http/operator-endpoint.js";
import { route } from "../../lib/http/route.js";
import { CheckReport } from "../../lib/operations/state/finding.js";
import { fullHealth } from "../../lib/operations/state/full-health.js";

const GET = operatorRead({
  summary:
    "Read the detailed health: stores, migrations, crons, drain, queue, audit log, backups and alerts.",
  scope: "health",
  breakGlass: true,
  reply: CheckReport,
  read: ({ ctx }) => fullHealth(ctx),
});

export default route("/api/ops/health", { GET });
