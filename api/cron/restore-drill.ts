import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { CronReport } from "../../lib/schedule/cron.js";
import { startDrillOfMonth } from "../../lib/schedule/restore-drill.js";

const GET = endpoint({
  summary:
    "Start a restore drill, whose steps the ticks run. Once it has succeeded, calls within the month do nothing.",
  auth: "cron",
  limits: [],
  anyHost: true,
  replies: { 200: CronReport },
  errors: [],
  handle: ({ ctx }) => startDrillOfMonth(ctx),
});

export default route("/api/cron/restore-drill", { GET });
