import { AppError } from "../../../lib/errors.js";
import { operatorChange } from "../../../lib/http/operation.js";
import { route } from "../../../lib/http/route.js";
import { FlagChange, FlagName, planFlag, setFlag } from "../../../lib/ops/flags/change.js";
import type { FlagRow } from "../../../lib/ops/flags/flags.js";

const PUT = operatorChange({
  summary: "Switch a group of routes or a feature on or off, or say who has it.",
  scope: "flag",
  // To switch off alone.
  breakGlass: true,
  body: FlagChange,
  errors: ["not_found"],
  async change({ ctx, operator, params, body, dryRun, by }) {
    const { data: name } = FlagName.safeParse(params.name);
    if (!name) throw new AppError("not_found");
    if (operator.kind === "break_glass" && body.enabled) throw new AppError("forbidden");
    const { before, after } = await planFlag(ctx, name, body);
    if (!dryRun) await setFlag(ctx, after, by);
    const share = after.percentage < 100 ? ` for ${after.percentage} %` : "";
    return {
      done: `Switch ${name} ${after.enabled ? `on${share}` : "off"}.`,
      undo: undoOf(before, after),
      detail: { before, after },
    };
  },
});

/** A feature that was on is given back to whom it was for: only what the change has altered is named. */
function undoOf(before: FlagRow, after: FlagRow): string {
  const { name, enabled, percentage, users, isPublic } = before;
  const altered = [
    ...(after.percentage === percentage ? [] : [`--percentage ${percentage}`]),
    ...(after.users.join() === users.join() ? [] : [`--users ${users.join() || '""'}`]),
    ...(after.isPublic === isPublic ? [] : [isPublic ? "--public" : "--no-public"]),
  ];
  const line =
    enabled && altered.length > 0
      ? `flag set ${name} ${altered.join(" ")}`
      : `flag ${enabled ? "on" : "off"} ${name}`;
  return `npm run ops -- ${line} --reason "undo"`;
}

export default route("/api/ops/flags/:name", { PUT });
