import { Deletions } from "../../operations/deletion-list.js";
import { anAccount } from "../account.js";
import { account } from "../checks.js";
import { type Command, textOf } from "../command.js";
import { UsageError } from "../failures.js";
import { table } from "../text.js";

const at = "/api/ops/deletions";
const checkedMail =
  "Verify first that the request comes from the owner of the account: docs/runbooks/privacy-requests.md.";

const status: Command = {
  name: "gdpr status",
  args: ["[USER]"],
  names: anAccount,
  summary: "accounts that are pending deletion, and receipts of erased ones",
  checks: { USER: account },
  notes: "An erased account is found by its ID only.",
  async run({ api, args: [user] }) {
    const found = await (user === undefined
      ? api.get(Deletions, at)
      : api.look(Deletions, `${at}/find`, { user }));
    const { pending, erased, counts } = found;
    const summary = `${counts.pending} pending (${counts.overdue} overdue), ${counts.erased} erased`;
    const rows = [
      ...pending.map(({ userId, purgeAt, isOverdue }) => ({
        state: isOverdue ? "overdue" : "pending",
        at: purgeAt,
        userId,
      })),
      ...erased.map(({ userId, erasedAt }) => ({ state: "erased", at: erasedAt, userId })),
    ];
    const text = `${summary}\n${table(rows, "None.")}`;
    return { body: found, text, isProblem: counts.overdue > 0 };
  },
};

const exportData: Command = {
  name: "gdpr export",
  args: ["USER"],
  names: anAccount,
  summary: "write all data of a user to a new file",
  required: ["output"],
  options: { output: { type: "string" } },
  checks: { USER: account },
  changes: true,
  notes: `${checkedMail}\nThe file holds personal data: send it to the owner's confirmed address, then delete it.`,
  async run({ api, args: [user], options }) {
    const file = textOf(options.output);
    if (file === undefined) throw new UsageError("Give --output FILE.");
    if (options["dry-run"] === true) {
      const found = await api.look(Deletions, `${at}/find`, { user });
      const text = `Dry run, nothing changed. Would write the data of ${user} to ${file}.`;
      return { body: found, text };
    }
    const { bytes } = await api.download("/api/ops/exports", { user }, file);
    return { body: { file, bytes }, text: `Done: wrote ${bytes} bytes to ${file}.` };
  },
};

const remove: Command = {
  name: "gdpr delete",
  args: ["USER"],
  names: anAccount,
  summary: "sign a user out and erase the account in 14 days",
  checks: { USER: account },
  changes: true,
  notes: checkedMail,
  run: ({ api, args: [user] }) => api.change("POST", at, { user }),
};

const cancel: Command = {
  name: "gdpr cancel",
  args: ["USER"],
  names: anAccount,
  summary: "keep an account that is pending deletion",
  checks: { USER: account },
  changes: true,
  run: ({ api, args: [user] }) => api.change("POST", `${at}/cancellations`, { user }),
};

export const gdpr = [status, exportData, remove, cancel];
