import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { findSuppression, liftSuppression } from "../../../lib/mail/suppression.js";
import { shellWord } from "../../../lib/operations/shell-word.js";
import { EmailAddress, validEmail } from "../../../lib/user/email-address.js";

const POST = operatorChange({
  summary: "Lift the suppression of an address: mail is sent to it again.",
  scope: "mail",
  body: { email: EmailAddress },
  async change({ ctx, body, dryRun, by }) {
    const email = validEmail(body.email);
    const found = await findSuppression(ctx, email);
    if (!found) return { done: `Mail to ${email} is not suppressed.`, undo: null };
    const { addressHash, reason, since } = found;
    if (!dryRun) await liftSuppression(ctx, email, by);
    const asked = reason === "complained" ? " The recipient had reported mail as spam." : "";
    return {
      done: `Send mail to ${email} again (${reason} at ${since}).${asked}`,
      undo: `npm run ops -- mail suppression set ${shellWord(email)} --cause ${reason} --reason "undo"`,
      detail: { addressHash, was: reason, since },
    };
  },
});

export default route("/api/ops/mail-suppressions/lifts", { POST });
