import { operatorRead } from "../../lib/http/operator-endpoint.js";
import { route } from "../../lib/http/route.js";
import { Window } from "../../lib/operations/telemetry/recent-series.js";
import { SlowRoutes, slowRoutes } from "../../lib/operations/telemetry/slow-routes.js";

const GET = operatorRead({
  summary: "List the latency of each route in the last minutes, slowest first.",
  scope: "slow",
  query: Window,
  reply: SlowRoutes,
  read: ({ ctx, query }) => slowRoutes(ctx, query.minutes),
});

export default route("/api/ops/slow", { GET });
