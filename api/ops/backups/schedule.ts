import { NewSchedule, setSchedule } from "../../../lib/backups/operate.js";
import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const PUT = operatorChange({
  summary: "Set the daily backup schedule; weekly and monthly ones stay.",
  scope: "backup",
  body: NewSchedule,
  errors: ["backups_not_configured", "backups_self_hosted", "backup_store_unavailable"],
  change: ({ ctx, body, dryRun, by }) => setSchedule(ctx, body, { by, dryRun }),
});

export default route("/api/ops/backups/schedule", { PUT });
