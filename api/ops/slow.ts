import { operatorRead } from "../../lib/http/operator-endpoint.js";
import { route } from "../../lib/http/route.js";
import { Window } from "../../lib/operations/telemetry/recent-series.js";
import { SlowRoutes, slowRoutes } from "../../lib/operations/telemetry/slow-routes.js";

const GET = operatorRead({
  summary: "How long the routes took in the last minutes, the slowest first.",
  scope: "slow",
  query: Window,
  reply: SlowRoutes,
  read: ({ ctx, query }) => slowRoutes(ctx, query.minutes),
});

export default route("/api/ops/slow", { GET });
