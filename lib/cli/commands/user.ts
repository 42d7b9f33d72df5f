import { anAccount } from "../account.js";
import { account } from "../checks.js";
import type { Command } from "../command.js";

const suspend: Command = {
  name: "user suspend",
  args: ["USER"],
  names: anAccount,
  summary: "block sign-in for a user (ID or e-mail) and revoke their sessions and API tokens",
  checks: { USER: account },
  changes: true,
  run: ({ api, args: [user] }) =>
    api.change("PUT", "/api/ops/users/suspension", { user, suspended: true }),
};

const unsuspend: Command = {
  name: "user unsuspend",
  args: ["USER"],
  names: anAccount,
  summary: "allow the user to sign in again",
  checks: { USER: account },
  changes: true,
  run: ({ api, args: [user] }) =>
    api.change("PUT", "/api/ops/users/suspension", { user, suspended: false }),
};

const removeSecondFactor: Command = {
  name: "user remove-second-factor",
  args: ["USER"],
  names: anAccount,
  summary:
    "remove the second factor of a user who lost it and the recovery codes; revokes their sessions and sends a mail",
  checks: { USER: account },
  changes: true,
  notes:
    "Verify the identity of the user first: afterwards the password alone is enough to sign in. Only admins can remove an operator's second factor, and the break-glass token cannot remove any. There is no undo: the owner enrols again.",
  run: ({ api, args: [user] }) =>
    api.change("POST", "/api/ops/users/second-factor-removals", { user }),
};

export const user = [suspend, unsuspend, removeSecondFactor];
