import { readFile } from "node:fs/promises";
import { uuid } from "../checks.js";
import { type Command, textOf } from "../command.js";
import { UsageError } from "../failures.js";

const begin: Command = {
  name: "restore begin",
  args: [],
  summary: "close the app before the database is restored",
  changes: true,
  run: ({ api }) => api.change("POST", "/api/ops/restore/begin"),
};

const idsPerCall = 900;

const finish: Command = {
  name: "restore finish",
  args: [],
  summary:
    "after a restore: erase again who was erased since the backup, keep everybody else signed in, open the app",
  options: { erasures: { type: "string" } },
  changes: true,
  notes:
    "--erasures FILE adds a copy of the erasures that the server cannot read: one user ID in each line. Without any copy\nthe app stays closed.",
  async run({ api, options }) {
    const path = "/api/ops/restore/finish";
    const file = textOf(options.erasures);
    if (file === undefined) return remaining(await api.change("POST", path));
    const ids = await idsIn(file);
    for (let from = idsPerCall; from < ids.length; from += idsPerCall) {
      const erasures = ids.slice(from, from + idsPerCall);
      const sent = remaining(await api.change("POST", path, { erasures, more: true }));
      if (sent.isProblem) return sent;
    }
    return remaining(await api.change("POST", path, { erasures: ids.slice(0, idsPerCall) }));
  },
};

/** While accounts are left the app is closed: a problem. */
function remaining<R extends { detail: Record<string, unknown>; isProblem?: boolean }>(
  change: R,
): R {
  return Number(change.detail.left ?? 0) > 0 ? { ...change, isProblem: true } : change;
}

async function idsIn(file: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch((error: Error) => {
    throw new UsageError(`${file} cannot be read: ${error.message}`);
  });
  const ids = text.split(/\s+/).filter(Boolean);
  const wrong = ids.find((id) => uuid(id) !== undefined);
  if (wrong !== undefined) throw new UsageError(`${file} has a line that is no user ID: ${wrong}`);
  return ids;
}

export const restore = [begin, finish];
