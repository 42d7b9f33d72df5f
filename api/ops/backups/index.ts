import { Backups, listSnapshots, takeSnapshot } from "../../../lib/backups/operate.js";
import { operatorChange, operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const GET = operatorRead({
  summary: "List the backup schedule and the snapshots of the live database.",
  scope: "backup",
  reply: Backups,
  errors: ["backups_self_hosted", "backup_store_unavailable"],
  read: ({ ctx }) => listSnapshots(ctx),
});

const POST = operatorChange({
  summary: "Take a snapshot of the live database now. Each call takes one more.",
  scope: "backup",
  body: {},
  errors: ["backups_not_configured", "backups_self_hosted", "backup_store_unavailable"],
  change: ({ ctx, dryRun, by }) => takeSnapshot(ctx, { by, dryRun }),
});

export default route("/api/ops/backups", { GET, POST });
