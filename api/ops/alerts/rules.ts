import { listRules, Rules } from "../../../lib/alerts/list-rules.js";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const GET = operatorRead({
  summary: "Evaluate every alert rule, with the age of its data.",
  scope: "alerts",
  breakGlass: true,
  reply: Rules,
  read: ({ ctx }) => listRules(ctx),
});

export default route("/api/ops/alerts/rules", { GET });
