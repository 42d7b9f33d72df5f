import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { countFailedMessages, retryFailedMessages } from "../../../lib/operations/outbox.js";

const POST = operatorChange({
  summary: "Retry every failed mail and alert notice that has not expired.",
  scope: "outbox",
  body: {},
  async change({ ctx, dryRun, by }) {
    const count = await (dryRun ? countFailedMessages(ctx) : retryFailedMessages(ctx, by));
    return {
      done: `Retry ${count} failed mails and alert notices.`,
      undo: null,
      detail: { count },
    };
  },
});

export default route("/api/ops/outbox/retries", { POST });
