import { anAccount } from "../account.js";
import { account } from "../checks.js";
import type { Command } from "../command.js";
import { UsageError } from "../failures.js";

const user: Command = {
  name: "revoke user",
  args: ["USER"],
  names: anAccount,
  summary: "revoke all sessions of a user (ID or e-mail)",
  checks: { USER: account },
  changes: true,
  notes: "There is no undo: the user signs in again, a guest cannot.",
  run: ({ api, args: [name] }) => api.change("POST", "/api/ops/revocations", { user: name }),
};

const everybody: Command = {
  name: "revoke everybody",
  args: [],
  summary: "revoke all sessions of all users, including yours",
  required: ["confirm"],
  options: { confirm: { type: "string" } },
  changes: true,
  notes:
    "Requires --confirm everybody. Guests cannot sign in again, so they lose their accounts: --dry-run shows how many. This cannot be undone.",
  async run({ api, options }) {
    if (options.confirm !== "everybody" && !options["dry-run"]) {
      throw new UsageError("To confirm, add: --confirm everybody");
    }
    return api.change("POST", "/api/ops/revocations", { everybody: true });
  },
};

export const revoke = [user, everybody];
