import { operatorRead } from "../../lib/http/operator-endpoint.js";
import { route } from "../../lib/http/route.js";
import {
  AccessLog,
  AccessLogQuery,
  listAccessLog,
} from "../../lib/operations/telemetry/access-log.js";

const GET = operatorRead({
  summary: "List requests, newest first; by default of the last 24 hours.",
  scope: "access-log",
  query: AccessLogQuery,
  reply: AccessLog,
  read: ({ ctx, query }) => listAccessLog(ctx, query),
});

export default route("/api/ops/access-log", { GET });
