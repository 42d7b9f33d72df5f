import { rulesByName } from "../../../lib/alerts/rules.js";
import { routesOf, variablesOf } from "../../../lib/alerts/send-notice.js";
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
    const channel = channelOfTest(rule);
    const missing = `no destination is configured for ${channel} or as its fallback. Set ${variablesOf[channel]}.`;
    if (dryRun) {
      const way = routesOf(ctx.env, channel)[0]?.name ?? null;
      const done = way
        ? `Would send a test notification of ${rule.name} through ${way}.`
        : `Would send nothing: ${missing}`;
      return { done, undo: null, detail: { way } };
    }
    const { way, outcome } = await testAlert(ctx, rule, by);
    const isDelivered = outcome === "accepted";
    const sent = `Sent a test notification of ${rule.name}: ${way} `;
    const done =
      way === null
        ? `${rule.name} was not sent: ${missing}`
        : sent + (isDelivered ? "accepted it." : `refused it (${outcome}).`);
    return { done, undo: null, detail: { isDelivered, way, outcome } };
  },
});

export default route("/api/ops/alerts/tests", { POST });
