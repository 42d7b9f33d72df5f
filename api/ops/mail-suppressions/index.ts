import { operatorChange, operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import {
  listMailSuppressions,
  MailSuppressions,
  NewSuppression,
  SuppressionPosition,
  suppressMail,
} from "../../../lib/operations/mail-suppressions.js";
import { pageQuery } from "../../../lib/page.js";

const GET = operatorRead({
  summary: "List the suppressions, newest first: addresses to which no mail is sent.",
  scope: "mail",
  query: pageQuery(SuppressionPosition),
  reply: MailSuppressions,
  read: ({ ctx, query }) => listMailSuppressions(ctx, query),
});

const POST = operatorChange({
  summary: "Suppress an address: no more mail is sent to it.",
  scope: "mail",
  body: NewSuppression,
  change: ({ ctx, body, dryRun, by }) => suppressMail(ctx, body, { by, dryRun }),
});

export default route("/api/ops/mail-suppressions", { GET, POST });
