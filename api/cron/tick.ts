import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { CronReport } from "../../lib/schedule/cron.js";
import { tick } from "../../lib/schedule/tick.js";

const GET = endpoint({
  summary:
    "Run the tasks of the minute. Once they have succeeded, calls within the minute do nothing.",
  auth: "cron",
  limits: [],
  anyHost: true,
  replies: { 200: CronReport },
  errors: [],
  handle: ({ ctx }) => tick(ctx),
});

export default route("/api/cron/tick", { GET });
