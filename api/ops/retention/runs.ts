import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { runRetention } from "../../../lib/operations/retention/run.js";
import { removable } from "../../../lib/operations/retention/state.js";

const POST = operatorChange({
  summary: "Remove what is beyond its age now, unless the cleanup is running. Safe to repeat.",
  scope: "retention",
  body: {},
  async change({ ctx, dryRun, by }) {
    if (dryRun) {
      const removed = await removable(ctx);
      return { done: `Would remove ${described(removed)}.`, undo: null, detail: { removed } };
    }
    const { ran, removed, unfinished } = await runRetention(ctx, by);
    const rest =
      unfinished.length > 0 ? ` Left to the next cleanup: ${unfinished.join(", ")}.` : "";
    const done = ran
      ? `Removed ${described(removed)}.${rest}`
      : "The cleanup is already running, and removes the same.";
    return { done, undo: null, detail: { removed, unfinished } };
  },
});

function described(removed: { rows: number }[]): string {
  if (removed.length === 0) return "nothing";
  const rows = removed.reduce((sum, each) => sum + each.rows, 0);
  return `${rows} rows of ${removed.length} ${removed.length === 1 ? "class" : "classes"}`;
}

export default route("/api/ops/retention/runs", { POST });
