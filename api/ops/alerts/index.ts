import { Alerts, listAlerts } from "../../../lib/alerts/list-alerts.js";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const GET = operatorRead({
  summary: "List every alert that was ever raised, firing ones first.",
  scope: "alerts",
  breakGlass: true,
  reply: Alerts,
  read: ({ ctx }) => listAlerts(ctx),
});

export default route("/api/ops/alerts", { GET });
