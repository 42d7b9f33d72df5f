import * as z from "zod";
import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { finishRestore } from "../../../lib/operations/state/restore.js";

const POST = operatorChange({
  summary:
    "After a restore: erase again who was erased after the backup, restore sessions, rebuild Redis, and open the app. 409 when no copy of the erasures can be read.",
  scope: "restore",
  body: {
    /** The IDs of erased accounts from a copy that the server cannot read. */
    erasures: z.array(z.uuid()).min(1).max(300).optional(),
    /** Another list follows: the app stays closed. */
    more: z.boolean().default(false),
  },
  errors: ["erasures_unreadable"],
  async change({ ctx, body, dryRun, by }) {
    if (dryRun) {
      return {
        done: "Would erase again who was erased after the backup, restore sessions, rebuild Redis and open the app.",
        undo: null,
      };
    }
    return finishRestore(ctx, { listed: body.erasures, more: body.more }, by);
  },
});

export default route("/api/ops/restore/finish", { POST });
