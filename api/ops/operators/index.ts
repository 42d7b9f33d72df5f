import * as z from "zod";
import { changeRole, listOperators, OperatorAccount } from "../../../lib/auth/operator/role.js";
import { AccountName, getSubject } from "../../../lib/auth/operator/subject.js";
import { AppError } from "../../../lib/errors.js";
import { operatorChange, operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const GET = operatorRead({
  summary: "List operators, admins first.",
  scope: "operator",
  reply: z.strictObject({ items: z.array(OperatorAccount) }),
  read: async ({ ctx }) => ({ items: await listOperators(ctx) }),
});

const POST = operatorChange({
  summary:
    "Make an account an operator or admin and revoke its sessions and operator tokens. The break-glass token can make the first admin.",
  scope: "operator",
  breakGlass: true,
  body: { user: AccountName, role: z.enum(["operator", "admin"]).optional() },
  errors: ["not_found", "account_unfit", "last_admin", "operators_exist"],
  async change({ ctx, operator, body, dryRun, by: { reason } }) {
    const isFirst = operator.kind === "break_glass";
    if (isFirst && body.role === "operator") {
      const message = "The first operator must be an admin.";
      const field = { pointer: "/role", code: "first_is_admin", message };
      throw new AppError("validation_failed", { fields: [field] });
    }
    const role = body.role ?? (isFirst ? "admin" : "operator");
    const subject = await getSubject(ctx, body.user);
    const outcome = await changeRole(ctx, operator, subject, { role, reason, dryRun });
    if (!outcome.changed) {
      return { done: `${subject.id} is already ${role}.`, undo: null };
    }
    const factor = subject.hasSecondFactor
      ? "They sign in again with their second factor."
      : "They act as a user until they set up a second factor and sign in with it.";
    const undo =
      subject.role === "user"
        ? `operator revoke ${subject.id}`
        : `operator grant ${subject.id} --role ${subject.role}`;
    return {
      done: `${dryRun ? "Would make" : "Made"} ${subject.id} ${role}. ${factor}`,
      undo: `npm run ops -- ${undo} --reason "undo"`,
      detail: { userId: subject.id, was: subject.role, role, ...outcome },
    };
  },
});

export default route("/api/ops/operators", { GET, POST });
