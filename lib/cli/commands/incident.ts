import { Incident, Severity } from "../../operations/incidents/incident.js";
import { IncidentDetails } from "../../operations/incidents/timeline.js";
import { pageSchema } from "../../page.js";
import { oneOf, text, uuid } from "../checks.js";
import type { Command } from "../command.js";
import { nextPageText, pageChecks, pageOf, pageOptions } from "../next-page.js";
import { table } from "../text.js";

const at = (id = "") => `/api/ops/incidents/${encodeURIComponent(id)}`;

/** An older server has no pages. */
const Incidents = pageSchema(Incident).partial({ nextCursor: true });

const list: Command = {
  name: "incident list",
  args: [],
  summary: "incidents, newest first",
  options: pageOptions,
  checks: pageChecks,
  async run({ api, options }) {
    const query = pageOf({ options });
    const found = await api.get(Incidents, "/api/ops/incidents", query);
    const rows = found.items.map(
      ({ id, title, severity, openedAt, openedByName: openedBy, closedAt }) => ({
        id,
        state: closedAt ? "closed" : "open",
        severity,
        openedAt,
        closedAt,
        openedBy,
        title,
      }),
    );
    const more = nextPageText({ options }, "incident list", query, found.nextCursor);
    return { body: found, text: table(rows) + more };
  },
};

const open: Command = {
  name: "incident open",
  args: ["TITLE"],
  summary: "open an incident: --severity P1|P2|P3",
  options: { severity: { type: "string", default: "P2" } },
  checks: { TITLE: text(200, 3), severity: oneOf(Severity.options) },
  changes: true,
  run: ({ api, args: [title], options: { severity } }) =>
    api.change("POST", "/api/ops/incidents", { title, severity }),
};

const note: Command = {
  name: "incident note",
  args: ["ID", "TEXT"],
  names: { what: "incident", shownBy: "incident list" },
  summary: "add a note to the timeline",
  checks: { ID: uuid, TEXT: text(2000) },
  changes: true,
  run: ({ api, args: [id, note] }) => api.change("POST", `${at(id)}/notes`, { text: note }),
};

const close: Command = {
  name: "incident close",
  args: ["ID"],
  names: { what: "incident", shownBy: "incident list" },
  summary: "close an incident",
  checks: { ID: uuid },
  changes: true,
  run: ({ api, args: [id] }) => api.change("POST", `${at(id)}/closure`),
};

const show: Command = {
  name: "incident show",
  args: ["ID"],
  names: { what: "incident", shownBy: "incident list" },
  summary: "a post-mortem template with the timeline of alerts, deployments, actions and notes",
  checks: { ID: uuid },
  async run({ api, args: [id] }) {
    const found = await api.get(IncidentDetails, at(id));
    return { body: found, text: found.postMortem };
  },
};

export const incident = [list, open, note, close, show];
