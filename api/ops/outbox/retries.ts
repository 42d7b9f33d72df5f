import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { countFailed, retryFailed } from "../../../lib/operations/outbox.js";

const POST = operatorChange({
  summary: "Have every mail and notice that failed tried again.",
  scope: "outbox",
  body: {},
  async change({ ctx, dryRun, by }) {
    const count = await (dryRun ? countFailed(ctx) : retryFailed(ctx, by));
    return { done: `Try ${count} failed mails and notices again.`, undo: null, detail: { count } };
  },
});

export default route("/api/ops/outbox/retries", { POST });
