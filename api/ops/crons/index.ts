import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { CronsShown, listCrons } from "../../../lib/schedule/cron-status.js";

const GET = operatorRead({
  summary: "The jobs of the clock, what they missed, and their last runs.",
  scope: "cron",
  reply: CronsShown,
  read: ({ ctx }) => listCrons(ctx),
});

export default route("/api/ops/crons", { GET });
