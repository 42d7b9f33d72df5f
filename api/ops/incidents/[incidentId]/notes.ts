import * as z from "zod";
import { operatorChange } from "../../../../lib/http/operator-endpoint.js";
import { route } from "../../../../lib/http/route.js";
import { addIncidentNote, getIncident } from "../../../../lib/operations/incidents/incident.js";

const POST = operatorChange({
  summary: "Add a note to an incident, open or closed.",
  scope: "incident",
  body: {
    text: z
      .string()
      .trim()
      .min(1)
      .max(2000)
      .meta({ examples: ["Switched stt off."] }),
  },
  errors: ["not_found"],
  async change({ ctx, params: { incidentId = "" }, body: { text }, dryRun, by }) {
    const { id, title } = await getIncident(ctx, incidentId);
    if (!dryRun) await addIncidentNote(ctx, id, text, by);
    return { done: `${dryRun ? "Would add" : "Added"} a note to “${title}”.`, undo: null };
  },
});

export default route("/api/ops/incidents/:incidentId/notes", { POST });
