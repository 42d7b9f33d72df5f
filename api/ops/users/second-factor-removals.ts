import { removeLostSecondFactor } from "../../../lib/auth/operator/account-state.js";
import { AccountName, getSubject } from "../../../lib/auth/operator/subject.js";
import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const POST = operatorChange({
  summary:
    "Remove the second factor of an account. Its sessions are revoked, and its owner gets a mail.",
  scope: "user",
  body: { user: AccountName },
  errors: ["not_found", "last_admin"],
  async change({ ctx, operator, body, dryRun, by: { reason } }) {
    const subject = await getSubject(ctx, body.user);
    const outcome = await removeLostSecondFactor(ctx, operator, subject, { reason, dryRun });
    return {
      done: outcome.changed
        ? `${dryRun ? "Would remove" : "Removed"} the second factor of ${subject.id}. The owner signs in with the password and can enrol again.`
        : `${subject.id} already has no second factor.`,
      undo: null,
      detail: { userId: subject.id, ...outcome },
    };
  },
});

export default route("/api/ops/users/second-factor-removals", { POST });
