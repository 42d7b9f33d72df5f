import { listRules, Rules } from "../../../lib/alerts/list-rules.js";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const GET = operatorRead({
  summary: "What every rule says now, with the age of what it is judged by.",
  scope: "alerts",
  breakGlass: true,
  reply: Rules,
  read: ({ ctx }) => listRules(ctx),
});

export default route("/api/ops/alerts/rules", { GET });
