import { deleteFlag, findFeature, flagState } from "../../../../lib/admission/change-flag.js";
import type { FlagRow } from "../../../../lib/admission/flags.js";
import { AppError } from "../../../../lib/errors.js";
import { operatorChange } from "../../../../lib/http/operator-endpoint.js";
import { route } from "../../../../lib/http/route.js";

const POST = operatorChange({
  summary: "Delete a feature flag. A kill switch cannot be deleted: its routes exist.",
  scope: "flag",
  body: {},
  errors: ["not_found"],
  async change({ ctx, params: { name = "" }, dryRun, by }) {
    const flag = await findFeature(ctx, name);
    if (!flag) throw new AppError("not_found");
    if (!dryRun) await deleteFlag(ctx, flag, by);
    const done = `${dryRun ? "Would delete" : "Deleted"} ${name}, which was ${flagState(flag)}.`;
    return { done, undo: undoOf(flag), detail: { before: flag } };
  },
});

/** The command that creates the flag again; null for one that was off, because without it the feature is off, too. */
function undoOf({ name, enabled, percentage, users, isPublic }: FlagRow): string | null {
  if (!enabled) return null;
  const targets = [
    ...(percentage === 100 ? [] : [`--percentage ${percentage}`]),
    ...(users.length === 0 ? [] : [`--users ${users.join()}`]),
    ...(isPublic ? ["--public"] : []),
  ];
  const line = targets.length > 0 ? `flag set ${name} ${targets.join(" ")}` : `flag on ${name}`;
  return `npm run ops -- ${line} --reason "undo"`;
}

export default route("/api/ops/flags/:name/removal", { POST });
