import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { cleanUp } from "../../lib/schedule/cleanup.js";
import { CronReport } from "../../lib/schedule/cron.js";

const GET = endpoint({
  summary:
    "Run the hourly maintenance: audit seals, expired rows, partitions. Once it has succeeded, calls within the hour do nothing.",
  auth: "cron",
  limits: [],
  anyHost: true,
  replies: { 200: CronReport },
  errors: [],
  handle: ({ ctx }) => cleanUp(ctx),
});

export default route("/api/cron/cleanup", { GET });
