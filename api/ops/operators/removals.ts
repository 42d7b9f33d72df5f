import { changeRole } from "../../../lib/auth/operator/role.js";
import { AccountName, getSubject } from "../../../lib/auth/operator/subject.js";
import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const POST = operatorChange({
  summary:
    "Revoke an operator's role, sessions and operator tokens. 409 last_admin for the last admin.",
  scope: "operator",
  body: { user: AccountName },
  errors: ["not_found", "last_admin"],
  async change({ ctx, operator, body, dryRun, by: { reason } }) {
    const subject = await getSubject(ctx, body.user);
    const outcome = await changeRole(ctx, operator, subject, { role: "user", reason, dryRun });
    if (!outcome.changed) return { done: `${subject.id} is not an operator.`, undo: null };
    return {
      done: `${dryRun ? "Would make" : "Made"} ${subject.id} a user. Their sessions and the operator tokens they created end.`,
      undo: `npm run ops -- operator grant ${subject.id} --role ${subject.role} --reason "undo"`,
      detail: { userId: subject.id, was: subject.role, ...outcome },
    };
  },
});

export default route("/api/ops/operators/removals", { POST });
