import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { cleanUp } from "../../lib/schedule/cleanup.js";
import { CronReport } from "../../lib/schedule/cron.js";

const GET = endpoint({
  summary:
    "Seal the audit log and delete what has expired, once an hour however often it is called.",
  auth: "cron",
  limits: [],
  anyHost: true,
  replies: { 200: CronReport },
  errors: [],
  handle: ({ ctx }) => cleanUp(ctx),
});

export default route("/api/cron/cleanup", { GET });
