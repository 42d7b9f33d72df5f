import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { BreakerSetting, changeBreaker } from "../../../lib/operations/breakers.js";

const PUT = operatorChange({
  summary: "Force a circuit breaker open or closed, or return it to automatic.",
  scope: "breaker",
  breakGlass: true,
  body: { state: BreakerSetting },
  errors: ["not_found", "redis_unavailable"],
  change: ({ ctx, params, body, dryRun, by }) =>
    changeBreaker(ctx, { service: params.service ?? "", setting: body.state, dryRun, by }),
});

export default route("/api/ops/breakers/:service", { PUT });
