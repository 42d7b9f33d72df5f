import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { OutboxShown, showOutbox } from "../../../lib/operations/outbox.js";

const GET = operatorRead({
  summary: "List waiting and failed mails and alert notices.",
  scope: "outbox",
  reply: OutboxShown,
  read: ({ ctx }) => showOutbox(ctx),
});

export default route("/api/ops/outbox", { GET });
