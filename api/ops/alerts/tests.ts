import { rulesByName } from "../../../lib/alerts/rules.js";
import { channelOfTest, RuleName, testAlert } from "../../../lib/alerts/test-alert.js";
import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const POST = operatorChange({
  summary: "Send a test notification of a rule through its channel, and resolve it.",
  scope: "alerts",
  body: { rule: RuleName },
  errors: [],
  async change({ ctx, body, dryRun, by }) {
    const rule = rulesByName[body.rule];
    if (dryRun)
      return { done: `Would send a test notification of ${rule.name} to its channel.`, undo: null };
    const { way, outcome } = await testAlert(ctx, rule, by);
    const isDelivered = outcome === "accepted";
    const sent = `Sent a test notification of ${rule.name}: ${way} `;
    const done =
      way === null
        ? `${rule.name} was not sent: no destination is configured for ${channelOfTest(rule)} or as its fallback.`
        : sent + (isDelivered ? "accepted it." : `refused it (${outcome}).`);
    return { done, undo: null, detail: { isDelivered, way, outcome } };
  },
});

export default route("/api/ops/alerts/tests", { POST });
