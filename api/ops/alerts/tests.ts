import { AppError } from "../../../lib/errors.js";
import { operatorChange } from "../../../lib/http/operation.js";
import { route } from "../../../lib/http/route.js";
import { RuleName, testAlert } from "../../../lib/ops/alerts/operate.js";
import { findRule } from "../../../lib/ops/alerts/rules.js";

const POST = operatorChange({
  summary: "Send a marked notice of a rule end to end; it resolves by itself.",
  scope: "alerts",
  body: { rule: RuleName },
  errors: ["not_found"],
  async change({ ctx, body, dryRun, by }) {
    const rule = findRule(body.rule);
    if (!rule) throw new AppError("not_found");
    if (!dryRun) await testAlert(ctx, rule, by);
    return { done: `Send a test of ${rule.name} to its channel (${rule.channel}).`, undo: null };
  },
});

export default route("/api/ops/alerts/tests", { POST });
