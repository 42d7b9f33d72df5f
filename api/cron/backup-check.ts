import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { checkBackupsOfDay } from "../../lib/schedule/backup-check.js";
import { CronReport } from "../../lib/schedule/cron.js";

const GET = endpoint({
  summary:
    "Check the backups: schedule, snapshots, recovery window, last restore drill. Once it has succeeded, calls within the day do nothing.",
  auth: "cron",
  limits: [],
  anyHost: true,
  replies: { 200: CronReport },
  errors: [],
  handle: ({ ctx }) => checkBackupsOfDay(ctx),
});

export default route("/api/cron/backup-check", { GET });
