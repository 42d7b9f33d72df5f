import { operatorRead } from "../../lib/http/operation.js";
import { route } from "../../lib/http/route.js";
import { ErrorsByRoute, errorsByRoute } from "../../lib/ops/telemetry/errors-by-route.js";
import { Window } from "../../lib/ops/telemetry/recent-series.js";

const GET = operatorRead({
  summary: "Which codes the routes answered in the last minutes, 5xx first.",
  scope: "errors",
  query: Window,
  reply: ErrorsByRoute,
  read: ({ ctx, query }) => errorsByRoute(ctx, query.minutes),
});

export default route("/api/ops/errors", { GET });
