import { operatorChange, operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import {
  listMailSuppressions,
  MailSuppressions,
  NewSuppression,
  suppressMail,
} from "../../../lib/operations/mail-suppressions.js";

const GET = operatorRead({
  summary: "List the 100 newest suppressions: addresses to which no mail is sent.",
  scope: "mail",
  reply: MailSuppressions,
  read: ({ ctx }) => listMailSuppressions(ctx),
});

const POST = operatorChange({
  summary: "Suppress an address: no more mail is sent to it.",
  scope: "mail",
  body: NewSuppression,
  change: ({ ctx, body, dryRun, by }) => suppressMail(ctx, body, { by, dryRun }),
});

export default route("/api/ops/mail-suppressions", { GET, POST });
