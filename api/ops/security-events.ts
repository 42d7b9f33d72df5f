import { operatorRead } from "../../lib/http/operator-endpoint.js";
import { route } from "../../lib/http/route.js";
import {
  listSecurityEventSources,
  SecurityEventSources,
  SecurityEventsQuery,
} from "../../lib/operations/telemetry/security-event-sources.js";

const GET = operatorRead({
  summary: "List the IP addresses with the most security events of the last minutes, per event.",
  scope: "security-events",
  query: SecurityEventsQuery,
  reply: SecurityEventSources,
  read: ({ ctx, query }) => listSecurityEventSources(ctx, query),
});

export default route("/api/ops/security-events", { GET });
