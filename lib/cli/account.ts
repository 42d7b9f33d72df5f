import { Found } from "../operations/find.js";
import type { Api } from "./api.js";
import { FailedError } from "./failures.js";

/** A claimed address names nobody, and is found nevertheless. */
export const anAccount = { what: "account of the id or confirmed address", shownBy: "find WHAT" };

/** The id of the account that somebody typed, which may be an address: that is looked up, in a body. */
export async function accountId(api: Api, typed: string): Promise<string> {
  if (!typed.includes("@")) return typed;
  const { accounts } = Found.parse(await api.look("/api/ops/find", { q: typed }));
  const [account] = accounts;
  if (!account) throw new FailedError("No account has that address.");
  if (accounts.length > 1 && !account.emailConfirmed) {
    throw new FailedError("Several accounts claim that address: name one by its id (find).");
  }
  return account.id;
}
