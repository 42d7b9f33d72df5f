import { anAccount } from "../account.js";
import type { Command } from "../command.js";

const suspend: Command = {
  name: "user suspend",
  args: ["USER"],
  names: anAccount,
  summary: "let a user (id or e-mail) sign in no more, and end their sessions",
  changes: true,
  run: ({ api, args: [user] }) =>
    api.change("PUT", "/api/ops/users/suspension", { user, suspended: true }),
};

const unsuspend: Command = {
  name: "user unsuspend",
  args: ["USER"],
  names: anAccount,
  summary: "let them sign in again",
  changes: true,
  run: ({ api, args: [user] }) =>
    api.change("PUT", "/api/ops/users/suspension", { user, suspended: false }),
};

const removeSecondFactor: Command = {
  name: "user remove-second-factor",
  args: ["USER"],
  names: anAccount,
  summary: "for who lost the device and the recovery codes; the owner gets a mail",
  changes: true,
  notes:
    "Be sure who asks: with this, the password alone signs in. Operators' are removed by admins only.",
  run: ({ api, args: [user] }) =>
    api.change("POST", "/api/ops/users/second-factor-removals", { user }),
};

export const user = [suspend, unsuspend, removeSecondFactor];
