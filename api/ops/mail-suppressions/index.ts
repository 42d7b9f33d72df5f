import * as z from "zod";
import { operatorChange, operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import {
  listSuppressions,
  MailSuppression,
  SuppressionReason,
  setSuppression,
} from "../../../lib/mail/suppression.js";
import { shellWord } from "../../../lib/operations/shell-word.js";
import { EmailAddress, validEmail } from "../../../lib/user/email-address.js";

const GET = operatorRead({
  summary: "List the 100 newest suppressions: addresses to which no mail is sent.",
  scope: "mail",
  reply: z.strictObject({ items: z.array(MailSuppression), total: z.int() }),
  read: ({ ctx }) => listSuppressions(ctx),
});

const POST = operatorChange({
  summary: "Suppress an address: no more mail is sent to it.",
  scope: "mail",
  body: { email: EmailAddress, cause: SuppressionReason.default("bounced") },
  async change({ ctx, body, dryRun, by }) {
    const email = validEmail(body.email);
    if (!dryRun) await setSuppression(ctx, email, body.cause, by);
    return {
      done: `Send no more mail to ${email}.`,
      undo: `npm run ops -- mail suppression lift ${shellWord(email)} --reason "undo"`,
    };
  },
});

export default route("/api/ops/mail-suppressions", { GET, POST });
