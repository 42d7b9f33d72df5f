import { readFile } from "node:fs/promises";
import { uuid } from "../checks.js";
import { type Call, type Command, textOf } from "../command.js";
import { UsageError } from "../failures.js";
import type { Result } from "../result.js";
import { visible } from "../text.js";

const begin: Command = {
  name: "restore begin",
  args: [],
  summary: "close the app before the database is restored",
  required: ["confirm"],
  options: { confirm: { type: "string" } },
  changes: true,
  notes:
    "Requires --confirm closed: from then on the app answers 503 restore_in_progress to everybody, until `restore finish`.",
  async run({ api, options }) {
    if (options.confirm !== "closed" && !options["dry-run"]) {
      throw new UsageError("This closes the app for everybody. To confirm, add: --confirm closed");
    }
    return api.change("POST", "/api/ops/restore/begin");
  },
};

const idsPerCall = 300;

const finish: Command = {
  name: "restore finish",
  args: [],
  summary:
    "after a restore: erase again who was erased since the backup, keep everybody else signed in, open the app",
  options: { erasures: { type: "string" } },
  changes: true,
  notes:
    "--erasures FILE adds a copy of the erasures that the server cannot read: one user ID in each line. With the word none instead, you say that no account was erased. Without any copy the app stays closed. The exit status is 1 when the copies may lack the newest erasures.",
  async run({ api, options, terminal }) {
    const file = textOf(options.erasures);
    if (file === undefined) return untilDone(api, terminal, {});
    if (file === "none") return untilDone(api, terminal, { noneErased: true });
    const ids = await idsIn(file);
    for (let from = idsPerCall; from < ids.length; from += idsPerCall) {
      const erasures = ids.slice(from, from + idsPerCall);
      const sent = await untilDone(api, terminal, { erasures, more: true });
      if (sent.isProblem) return sent;
    }
    return untilDone(api, terminal, { erasures: ids.slice(0, idsPerCall) });
  },
};

/** Repeats the call, which has 8 s, while it gets on. While anything is left the app is closed: a problem. */
async function untilDone(
  api: Call["api"],
  terminal: Call["terminal"],
  body: object,
): Promise<Result> {
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    const change = await api.change("POST", "/api/ops/restore/finish", body);
    const left = Number(change.detail.left ?? 0);
    const areSessionsLeft = change.detail.sessionsLeft === true;
    if (left === 0 && !areSessionsLeft) {
      const isProblem = change.isProblem || change.detail.mayLackErasures === true;
      return { ...change, text: `${change.text}${lostRulesText(change.detail)}`, isProblem };
    }
    // The accounts that are left fail: sessions come after the last one.
    if (!areSessionsLeft && left >= before) return { ...change, isProblem: true };
    before = left;
    terminal.show(change.text);
  }
}

function lostRulesText({ lostRules = [] }: Record<string, unknown>): string {
  const commands = lostRules as string[];
  if (commands.length === 0) return "";
  return `\nTo set again what is still needed:\n${commands.map((line) => `  ${visible(line)}`).join("\n")}`;
}

async function idsIn(file: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch((error: Error) => {
    throw new UsageError(`${file} cannot be read: ${error.message}`);
  });
  const ids = text.split(/\s+/).filter(Boolean);
  const wrong = ids.find((id) => uuid(id) !== undefined);
  if (ids.length === 0)
    throw new UsageError(`${file} has no user ID. If no account was erased: --erasures none`);
  if (wrong !== undefined) throw new UsageError(`${file} has a line that is no user ID: ${wrong}`);
  return ids;
}

export const restore = [begin, finish];
