import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { getOutboxStatus, OutboxStatus } from "../../../lib/operations/outbox.js";

const GET = operatorRead({
  summary: "List waiting, retried and failed mails and alert notices.",
  scope: "outbox",
  reply: OutboxStatus,
  read: ({ ctx }) => getOutboxStatus(ctx),
});

export default route("/api/ops/outbox", { GET });
