import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { beginRestore } from "../../../lib/operations/state/restore.js";

const POST = operatorChange({
  summary:
    "Close the app before the database is restored: its routes answer 503 restore_in_progress.",
  scope: "restore",
  body: {},
  async change({ ctx, dryRun, by }) {
    return dryRun ? { done: "Would close the app.", undo: null } : beginRestore(ctx, by);
  },
});

export default route("/api/ops/restore/begin", { POST });
