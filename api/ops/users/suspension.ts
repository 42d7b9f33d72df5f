import * as z from "zod";
import { suspend, unsuspend } from "../../../lib/auth/operator/account-state.js";
import { AccountName, getSubject } from "../../../lib/auth/operator/subject.js";
import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const PUT = operatorChange({
  summary:
    "Suspend an account and revoke its sessions and operator tokens, or lift the suspension.",
  scope: "user",
  body: { user: AccountName, suspended: z.boolean() },
  errors: ["not_found", "last_admin"],
  async change({ ctx, operator, body, dryRun, by: { reason } }) {
    const subject = await getSubject(ctx, body.user);
    const decide = body.suspended ? suspend : unsuspend;
    const outcome = await decide(ctx, operator, subject, { reason, dryRun });
    const [verb, opposite] = body.suspended ? ["suspend", "unsuspend"] : ["unsuspend", "suspend"];
    const done = dryRun ? `Would ${verb}` : body.suspended ? "Suspended" : "Unsuspended";
    const state = body.suspended ? "already suspended" : "not suspended";
    return {
      done: outcome.changed ? `${done} ${subject.id}.` : `${subject.id} is ${state}.`,
      undo: outcome.changed
        ? `npm run ops -- user ${opposite} ${subject.id} --reason "undo"`
        : null,
      detail: { userId: subject.id, ...outcome },
    };
  },
});

export default route("/api/ops/users/suspension", { PUT });
