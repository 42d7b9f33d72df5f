import { operatorRead } from "../../lib/http/operator-endpoint.js";
import { route } from "../../lib/http/route.js";
import { ErrorsByRoute, errorsByRoute } from "../../lib/operations/telemetry/errors-by-route.js";
import { Window } from "../../lib/operations/telemetry/recent-series.js";

const GET = operatorRead({
  summary: "List the error codes of each route in the last minutes, 5xx first.",
  scope: "errors",
  query: Window,
  reply: ErrorsByRoute,
  read: ({ ctx, query }) => errorsByRoute(ctx, query.minutes),
});

export default route("/api/ops/errors", { GET });
