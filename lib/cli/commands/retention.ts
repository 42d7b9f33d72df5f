import * as z from "zod";
import { RetentionReport } from "../../operations/retention/report.js";
import { RetentionClasses } from "../../operations/retention/state.js";
import { numberFrom } from "../checks.js";
import { type Command, textOf } from "../command.js";
import { table } from "../text.js";

/** 48 h and more in days. */
const age = (hours: number) => (hours < 48 || hours % 24 > 0 ? `${hours} h` : `${hours / 24} d`);
const minute = (at: string | null) => at && `${at.slice(0, 16)}Z`;

const show: Command = {
  name: "retention show",
  args: [],
  summary: "classes of data: how long each is kept, what is beyond its age",
  notes:
    "`ages from` is what the age of the oldest is counted from, such as the end of its day, its\nseal or its expiry; `-` while no age counts. `beyond` counts rows that the next cleanup removes. OVERDUE: two cleanups left them.",
  async run({ api }) {
    const found = await api.get(RetentionClasses, "/api/ops/retention");
    const { classes, beyondMax } = found;
    const rows = classes.map((each) => ({
      class: each.name,
      kept: age(each.keptHours),
      "ages from": minute(each.oldestAt),
      beyond: each.isOverdue ? `OVERDUE ${each.beyond}` : atMost(each.beyond, beyondMax),
      "last removal": minute(each.lastRemovalAt),
    }));
    const isProblem = classes.some(({ isOverdue }) => isOverdue);
    return { body: found, text: table(rows), isProblem };
  },
};

const atMost = (count: number, max: number) => (count >= max ? `${max}+` : count);

const run: Command = {
  name: "retention run",
  args: [],
  summary: "remove what is beyond its age now; the cleanup does it every hour",
  changes: true,
  async run({ api }) {
    const change = await api.change("POST", "/api/ops/retention/runs");
    const { data: removed = [] } = z
      .array(z.record(z.string(), z.unknown()))
      .safeParse(change.detail.removed);
    return removed.length === 0 ? change : { ...change, text: `${change.text}\n${table(removed)}` };
  },
};

const report: Command = {
  name: "retention report",
  args: [],
  summary: "what was removed, by day and class",
  options: { days: { type: "string" } },
  checks: { days: numberFrom(1, 400) },
  notes: "--days N: of the last N days, 30 unless given, at most 400.",
  async run({ api, options }) {
    const days = textOf(options.days);
    const found = await api.get(RetentionReport, "/api/ops/retention/removals", { days });
    const rows = found.items.map(({ removedTo, ...item }) => ({ ...item, to: minute(removedTo) }));
    return { body: found, text: table(rows, "Nothing was removed.") };
  },
};

export const retention = [show, run, report];
