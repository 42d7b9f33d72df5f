import { findRule } from "../../../lib/alerts/rules.js";
import { channelOfTest, RuleName, testAlert } from "../../../lib/alerts/test-alert.js";
import { AppError } from "../../../lib/errors.js";
import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const POST = operatorChange({
  summary: "Send a marked notice of a rule end to end; it resolves by itself.",
  scope: "alerts",
  body: { rule: RuleName },
  errors: ["not_found"],
  async change({ ctx, body, dryRun, by }) {
    const rule = findRule(body.rule);
    if (!rule) throw new AppError("not_found");
    if (dryRun) return { done: `Send a test of ${rule.name} to its channel.`, undo: null };
    const { way, outcome } = await testAlert(ctx, rule, by);
    const isDelivered = outcome === "accepted";
    const sent = `Sent a test of ${rule.name}: ${way} `;
    const done =
      way === null
        ? `Nobody is told of ${rule.name}: no way is set for ${channelOfTest(rule)}, nor one that stands in for it.`
        : sent + (isDelivered ? "took it." : `did not take it (${outcome}).`);
    return { done, undo: null, detail: { isDelivered, way, outcome } };
  },
});

export default route("/api/ops/alerts/tests", { POST });
