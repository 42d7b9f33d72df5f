import * as z from "zod";
import { operatorChange, operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import {
  Incident,
  IncidentPosition,
  listIncidents,
  openIncident,
  Severity,
} from "../../../lib/operations/incidents/incident.js";
import { pageQuery, pageSchema } from "../../../lib/page.js";

const GET = operatorRead({
  summary: "List the incidents, newest first.",
  scope: "incident",
  query: pageQuery(IncidentPosition),
  reply: pageSchema(Incident),
  read: ({ ctx, query }) => listIncidents(ctx, query),
});

const POST = operatorChange({
  summary:
    "Open an incident. Its timeline starts with the first of the alerts that are firing, else now.",
  scope: "incident",
  body: {
    title: z
      .string()
      .trim()
      .min(3)
      .max(200)
      .meta({ examples: ["Sign-ins fail"] }),
    severity: Severity,
  },
  async change({ ctx, body, dryRun, by }) {
    const { title, severity } = body;
    if (dryRun) return { done: `Would open the incident “${title}” (${severity}).`, undo: null };
    const id = await openIncident(ctx, body, by);
    return {
      done: `Opened incident ${id} (${severity}).`,
      undo: `npm run ops -- incident close ${id} --reason "undo"`,
      detail: { id },
    };
  },
});

export default route("/api/ops/incidents", { GET, POST });
