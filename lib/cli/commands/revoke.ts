import { anAccount } from "../account.js";
import type { Command } from "../command.js";
import { UsageError } from "../failures.js";

const user: Command = {
  name: "revoke user",
  args: ["USER"],
  names: anAccount,
  summary: "end all sessions of a user (id or e-mail)",
  changes: true,
  run: ({ api, args: [name] }) => api.change("POST", "/api/ops/revocations", { user: name }),
};

const everybody: Command = {
  name: "revoke everybody",
  args: [],
  summary: "end every session there is, this one too",
  options: { confirm: { type: "string" } },
  changes: true,
  notes:
    "It takes --confirm everybody. Guests cannot sign in again: they lose their accounts. See first how many\nthat is, with --dry-run. Nothing takes it back.",
  async run({ api, options }) {
    if (options.confirm !== "everybody" && !options["dry-run"]) {
      throw new UsageError("Say that you mean it: --confirm everybody");
    }
    return api.change("POST", "/api/ops/revocations", { everybody: true });
  },
};

export const revoke = [user, everybody];
