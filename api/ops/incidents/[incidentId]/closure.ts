import { operatorChange } from "../../../../lib/http/operator-endpoint.js";
import { route } from "../../../../lib/http/route.js";
import { closeIncident, getIncident } from "../../../../lib/operations/incidents/incident.js";

const POST = operatorChange({
  summary: "Close an incident. Its timeline ends, except for further notes.",
  scope: "incident",
  body: {},
  errors: ["not_found"],
  async change({ ctx, params: { incidentId = "" }, dryRun, by }) {
    const { id, title, closedAt } = await getIncident(ctx, incidentId);
    if (closedAt) return { done: `“${title}” is already closed.`, undo: null };
    if (!dryRun) await closeIncident(ctx, id, by);
    return { done: `${dryRun ? "Would close" : "Closed"} “${title}”.`, undo: null };
  },
});

export default route("/api/ops/incidents/:incidentId/closure", { POST });
