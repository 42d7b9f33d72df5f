import * as z from "zod";
import { isSilenced, silence } from "../../../lib/alerts/silence.js";
import { RuleName } from "../../../lib/alerts/test-alert.js";
import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const minutesMax = 7 * 24 * 60;

const POST = operatorChange({
  summary: "Silence an alert rule for some minutes; 0 ends the silence.",
  scope: "alerts",
  body: {
    rule: RuleName,
    minutes: z
      .int()
      .min(0)
      .max(minutesMax)
      .meta({ examples: [60] }),
  },
  async change({ ctx, body: { rule, minutes }, dryRun, by }) {
    const until = new Date(ctx.now.getTime() + minutes * 60_000);
    if (minutes === 0 && !(await isSilenced(ctx, rule))) {
      return { done: `${rule} is not silenced.`, undo: null };
    }
    if (!dryRun) await silence(ctx, rule, until, by);
    if (minutes === 0)
      return { done: `${dryRun ? "Would end" : "Ended"} the silence of ${rule}.`, undo: null };
    return {
      done: `${dryRun ? "Would silence" : "Silenced"} ${rule} until ${until.toISOString()}.`,
      undo: `npm run ops -- alerts silence ${rule} --minutes 0 --reason "undo"`,
      detail: { until: until.toISOString() },
    };
  },
});

export default route("/api/ops/alerts/silences", { POST });
