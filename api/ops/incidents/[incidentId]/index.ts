import { operatorRead } from "../../../../lib/http/operator-endpoint.js";
import { route } from "../../../../lib/http/route.js";
import { IncidentShown, showIncident } from "../../../../lib/operations/incidents/timeline.js";

const GET = operatorRead({
  summary: "Read an incident with its timeline and a post-mortem template.",
  scope: "incident",
  reply: IncidentShown,
  errors: ["not_found"],
  read: ({ ctx, params: { incidentId = "" } }) => showIncident(ctx, incidentId),
});

export default route("/api/ops/incidents/:incidentId", { GET });
