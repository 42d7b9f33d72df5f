import { BackupReport, checkBackups } from "../../../lib/backups/check.js";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const GET = operatorRead({
  summary:
    "Check the backups now. The alerts use the result, as that of the daily cron job. Where a backup process checks them, this is only the result of its last check.",
  scope: "backup",
  reply: BackupReport,
  read: ({ ctx }) => checkBackups(ctx),
});

export default route("/api/ops/backups/check", { GET });
