import { isDeepStrictEqual } from "node:util";
import {
  FlagChange,
  FlagName,
  flagState,
  previewFlagChange,
  setFlag,
} from "../../../lib/admission/change-flag.js";
import type { FlagRow } from "../../../lib/admission/flags.js";
import { AppError } from "../../../lib/errors.js";
import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { impactOfSwitchingOff } from "../../../lib/operations/flag-impact.js";

const PUT = operatorChange({
  summary: "Switch a route group or a feature on or off, or change who has the feature.",
  scope: "flag",
  // For switching on, too: it must not depend on a sign-in.
  breakGlass: true,
  body: FlagChange,
  errors: ["not_found"],
  async change({ ctx, params, body, dryRun, by }) {
    const { data: name } = FlagName.safeParse(params.name);
    if (!name) throw new AppError("not_found");
    const change = await previewFlagChange(ctx, name, body);
    const { before, after } = change;
    if (!dryRun) await setFlag(ctx, change, by);
    const state = flagState(after);
    if (isDeepStrictEqual(before, after)) {
      return { done: `${name} is already ${state}.`, undo: null, detail: { before, after } };
    }
    const done = `${dryRun ? "Would switch" : "Switched"} ${name} ${state}.`;
    const hit = dryRun && !after.enabled ? await impactOfSwitchingOff(ctx, before) : null;
    return {
      done: hit ? `${done} ${hit.text}` : done,
      undo: undoOf(before, after),
      detail: { before, after, ...(hit && { routes: hit.routes }) },
    };
  },
});

/** The command that restores the settings that were changed. */
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
