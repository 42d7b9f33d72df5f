import { MailSuppressions } from "../../operations/mail-suppressions.js";
import { type Command, textOf } from "../command.js";
import { UsageError } from "../failures.js";
import { table } from "../text.js";

const at = "/api/ops/mail-suppressions";

const list: Command = {
  name: "mail suppression list",
  args: [],
  summary: "addresses to which no mail is sent, newest first; --email looks one up",
  options: { email: { type: "string" } },
  notes:
    "An address is stored as a keyed hash. A permanent bounce or a spam complaint suppresses it, also for password resets.",
  async run({ api, options }) {
    const email = textOf(options.email);
    const answer = await (email === undefined ? api.get(at) : api.look(`${at}/find`, { email }));
    const { items, total } = MailSuppressions.parse(answer);
    const rows = items.map(({ addressHash, reason, since }) => ({ reason, since, addressHash }));
    const more = total > items.length ? `\nThe ${items.length} newest of ${total}.` : "";
    const text = table(rows, "No suppressed addresses.") + more;
    return { body: answer, text, isProblem: email !== undefined && items.length > 0 };
  },
};

const lift: Command = {
  name: "mail suppression lift",
  args: ["EMAIL"],
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
  options: { cause: { type: "string", default: "bounced" } },
  changes: true,
  run({ api, args: [email], options: { cause } }) {
    if (cause !== "bounced" && cause !== "complained") {
      throw new UsageError("--cause must be bounced or complained.");
    }
    return api.change("POST", at, { email, cause });
  },
};

export const mail = [list, lift, set];
