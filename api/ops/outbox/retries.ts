import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { countFailedMessages, retryFailedMessages } from "../../../lib/operations/outbox.js";

const POST = operatorChange({
  summary: "Retry every failed mail and alert notice that has not expired.",
  scope: "outbox",
  body: {},
  async change({ ctx, dryRun, by }) {
    const count = await (dryRun ? countFailedMessages(ctx) : retryFailedMessages(ctx, by));
    const verb = dryRun ? "Would queue" : "Queued";
    return {
      done:
        count === 0
          ? "There are no failed mails or alert notices. Those that wait are tried again by themselves."
          : `${verb} ${count} failed mails and alert notices for another attempt.`,
      undo: null,
      detail: { count },
    };
  },
});

export default route("/api/ops/outbox/retries", { POST });
