import { operatorRead } from "../../../../lib/http/operator-endpoint.js";
import { route } from "../../../../lib/http/route.js";
import {
  getIncidentDetails,
  IncidentDetails,
} from "../../../../lib/operations/incidents/timeline.js";

const GET = operatorRead({
  summary: "Read an incident with its timeline and a post-mortem template.",
  scope: "incident",
  reply: IncidentDetails,
  errors: ["not_found"],
  read: ({ ctx, params: { incidentId = "" } }) => getIncidentDetails(ctx, incidentId),
});

export default route("/api/ops/incidents/:incidentId", { GET });
