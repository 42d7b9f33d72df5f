import * as z from "zod";
import { Deployment, releaseName } from "../../deployments/deployment-log.js";
import { RollbackCheck } from "../../operations/rollback-check.js";
import type { Command } from "../command.js";
import { UsageError } from "../failures.js";
import { table } from "../text.js";

const shownMax = 20;

const Deployments = z.object({ items: z.array(Deployment) });

const list: Command = {
  name: "deployments",
  args: [],
  summary: "what was deployed to production, when, by whom; newest first",
  notes: "The 20 newest; --json has 50. `by` is the platform's user ID.",
  async run({ api }) {
    const found = await api.get(Deployments, "/api/ops/deployments");
    const rows = found.items.slice(0, shownMax).map((each) => ({
      state: each.state,
      release: releaseName(each),
      "live at": each.liveAt,
      until: each.endedAt ?? each.failedAt ?? each.cancelledAt,
      id: each.id,
      by: each.rolledBackBy ?? each.actor,
      reason: each.reason,
    }));
    return {
      body: found,
      text: table(rows, "No deployment is recorded.", ["id", "by", "reason"]),
    };
  },
};

const rollback: Command = {
  name: "rollback",
  args: ["[TARGET]"],
  names: { what: "deployment", shownBy: "deployments" },
  summary: "with --check: may the release before, or TARGET (an ID or a SHA), come back?",
  required: ["check"],
  options: { check: { type: "boolean", default: false } },
  notes:
    "Changes nothing: it compares migrations, variables and crons, and prints the command of the platform. Exit status 1 unless every line is pass.",
  async run({ api, args: [to], options: { check } }) {
    if (check === false) {
      throw new UsageError("--check is required: the platform's own command rolls back.");
    }
    const found = await api.get(RollbackCheck, "/api/ops/deployments/rollback-check", { to });
    return { body: found, text: checkText(found), isProblem: found.status !== "pass" };
  },
};

function checkText({ status, findings, from, to, commands, undo }: RollbackCheck): string {
  const rows = findings.map(({ status: is, name, detail }) => ({ is, name, detail }));
  const block = (title: string, lines: string[]) =>
    lines.length > 0 ? [`\n${title}\n${lines.map((line) => `  ${line}`).join("\n")}`] : [];
  return [
    status,
    ...(from ? [`from ${releaseName(from)}`] : []),
    ...(to ? [`to   ${releaseName(to)}`] : []),
    table(rows, "None.", ["detail"]),
    ...(status === "fail"
      ? []
      : [...block("Roll back with:", commands), ...block("Undo with:", undo)]),
  ].join("\n");
}

export const deployments = [list, rollback];
