import * as z from "zod";
import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { finishRestore, previewFinish } from "../../../lib/operations/state/restore.js";

const POST = operatorChange({
  summary:
    "After a restore: erase again who was erased after the backup, restore sessions, rebuild Redis, and open the app. 409 when no copy of the erasures can be read.",
  scope: "restore",
  body: {
    /** The IDs of erased accounts from a copy that the server cannot read. */
    erasures: z.array(z.uuid()).min(1).max(300).optional(),
    /** As a list without an ID: no account was erased that the other copies may lack. */
    noneErased: z.boolean().default(false),
    /** Another list follows: the app stays closed. */
    more: z.boolean().default(false),
  },
  errors: ["erasures_unreadable"],
  async change({ ctx, body, dryRun, by }) {
    const { more, noneErased } = body;
    const listed = body.erasures ?? (noneErased ? [] : undefined);
    return dryRun ? previewFinish(ctx, listed) : finishRestore(ctx, { listed, more }, by);
  },
});

export default route("/api/ops/restore/finish", { POST });
