import * as z from "zod";
import { Incident } from "../../operations/incidents/incident.js";
import { IncidentDetails } from "../../operations/incidents/timeline.js";
import type { Command } from "../command.js";
import { table } from "../text.js";

const at = (id = "") => `/api/ops/incidents/${encodeURIComponent(id)}`;

const list: Command = {
  name: "incident list",
  args: [],
  summary: "the latest incidents",
  async run({ api }) {
    const answer = await api.get("/api/ops/incidents");
    const { items } = z.object({ items: z.array(Incident) }).parse(answer);
    const rows = items.map(({ openedBy: _, ...incident }) => incident);
    return { body: answer, text: table(rows), isProblem: items.some(({ closedAt }) => !closedAt) };
  },
};

const open: Command = {
  name: "incident open",
  args: ["TITLE"],
  summary: "open an incident: --severity P1|P2|P3",
  options: { severity: { type: "string", default: "P2" } },
  changes: true,
  run: ({ api, args: [title], options: { severity } }) =>
    api.change("POST", "/api/ops/incidents", { title, severity }),
};

const note: Command = {
  name: "incident note",
  args: ["ID", "TEXT"],
  names: { what: "incident", shownBy: "incident list" },
  summary: "add a note to the timeline",
  changes: true,
  run: ({ api, args: [id, text] }) => api.change("POST", `${at(id)}/notes`, { text }),
};

const close: Command = {
  name: "incident close",
  args: ["ID"],
  names: { what: "incident", shownBy: "incident list" },
  summary: "close an incident",
  changes: true,
  run: ({ api, args: [id] }) => api.change("POST", `${at(id)}/closure`),
};

const show: Command = {
  name: "incident show",
  args: ["ID"],
  names: { what: "incident", shownBy: "incident list" },
  summary: "a post-mortem template with the timeline of alerts, operator actions and notes",
  async run({ api, args: [id] }) {
    const found = IncidentDetails.parse(await api.get(at(id)));
    return { body: found, text: found.postMortem };
  },
};

export const incident = [list, open, note, close, show];
