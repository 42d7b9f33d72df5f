import { MailSuppressions } from "../../operations/mail-suppressions.js";
import { emailAddress, oneOf } from "../checks.js";
import { type Command, textOf } from "../command.js";
import { UsageError } from "../failures.js";
import { nextPageText, pageChecks, pageOf, pageOptions } from "../next-page.js";
import { table } from "../text.js";

const at = "/api/ops/mail-suppressions";

/** An older server has no pages. */
const Suppressions = MailSuppressions.partial({ nextCursor: true });

const list: Command = {
  name: "mail suppression list",
  args: [],
  summary: "addresses to which no mail is sent, newest first; --email looks one up",
  options: { email: { type: "string" }, ...pageOptions },
  checks: { email: emailAddress, ...pageChecks },
  notes:
    "An address is stored as a keyed hash. A permanent bounce or a spam complaint suppresses it, also for password resets.",
  async run({ api, options }) {
    const email = textOf(options.email);
    const query = pageOf({ options });
    const found = await (email === undefined
      ? api.get(Suppressions, at, query)
      : api.look(Suppressions, `${at}/find`, { email }));
    const { items, total, nextCursor } = found;
    const rows = items.map(({ addressHash, reason, since }) => ({ reason, since, addressHash }));
    const of = total > items.length ? `\n${items.length} of ${total}.` : "";
    const more = nextPageText({ options }, "mail suppression list", query, nextCursor);
    return { body: found, text: table(rows, "No suppressed addresses.") + of + more };
  },
};

const lift: Command = {
  name: "mail suppression lift",
  args: ["EMAIL"],
  checks: { EMAIL: emailAddress },
  summary: "send mail to an address again",
  changes: true,
  notes:
    "The next permanent bounce suppresses the address again. Lift a complaint only when the recipient asked for it.",
  run: ({ api, args: [email] }) => api.change("POST", `${at}/lifts`, { email }),
};

const set: Command = {
  name: "mail suppression set",
  args: ["EMAIL"],
  summary: "send no more mail to an address",
  required: ["cause"],
  options: { cause: { type: "string" } },
  notes:
    "--cause bounced: the mailbox does not exist. The next delivered mail lifts it.\n--cause complained: the recipient does not want our mail. Only `mail suppression lift` lifts it.",
  checks: { EMAIL: emailAddress, cause: oneOf(["bounced", "complained"]) },
  changes: true,
  async run({ api, args: [email], options: { cause } }) {
    if (cause === undefined) throw new UsageError("--cause is required: bounced or complained.");
    return api.change("POST", at, { email, cause });
  },
};

export const mail = [list, lift, set];
