import { AppError } from "../../../lib/errors.js";
import { operatorChange } from "../../../lib/http/operation.js";
import { route } from "../../../lib/http/route.js";
import { FlagChange, FlagName, planFlag, setFlag } from "../../../lib/ops/flags/change.js";

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
      undo: undoOf(name, before),
      detail: { before, after },
    };
  },
});

function undoOf(
  name: string,
  { kind, enabled, percentage }: { kind: string; enabled: boolean; percentage: number },
) {
  const wasPartial = enabled && kind === "feature" && percentage < 100;
  const line = wasPartial
    ? `flag set ${name} --percentage ${percentage}`
    : `flag ${enabled ? "on" : "off"} ${name}`;
  return `npm run ops -- ${line} --reason "undo"`;
}

export default route("/api/ops/flags/:name", { PUT });
