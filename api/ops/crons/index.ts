import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { CronStatus, listCrons } from "../../../lib/schedule/cron-status.js";

const GET = operatorRead({
  summary: "List the crons, their missed periods and their last runs.",
  scope: "cron",
  reply: CronStatus,
  read: ({ ctx }) => listCrons(ctx),
});

export default route("/api/ops/crons", { GET });
