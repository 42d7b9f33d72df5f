import { FindResult } from "../operations/find.js";
import type { Api } from "./api.js";
import { FailedError } from "./failures.js";

/** Lookup also finds an account by an e-mail address that is only claimed. */
export const anAccount = {
  what: "account with the ID or confirmed e-mail address",
  shownBy: "find WHAT",
};

/** Resolves an e-mail address to an account ID. It is sent in a body, because URLs are logged. */
export async function accountId(api: Api, typed: string): Promise<string> {
  if (!typed.includes("@")) return typed;
  const { accounts } = FindResult.parse(await api.look("/api/ops/find", { q: typed }));
  const [account] = accounts;
  if (!account) throw new FailedError("No account has this e-mail address.");
  if (accounts.length > 1 && !account.emailConfirmed) {
    throw new FailedError(
      "Several accounts claim this e-mail address. Use the account ID instead: `npm run ops -- find EMAIL` shows it.",
    );
  }
  return account.id;
}
