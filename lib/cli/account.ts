import { FindResult } from "../operations/find.js";
import type { Api } from "./api.js";
import { FailedError } from "./failures.js";

/** `names` of a command about an account. Its lookup also finds e-mail addresses that are only claimed. */
export const anAccount = {
  what: "account with the ID, session ID, correlation ID or confirmed e-mail address",
  shownBy: "find WHAT",
};

/** For a URL: the ID of the account with this e-mail address; the server looks up any other text. Throws `FailedError`. */
export async function accountId(api: Api, typed: string): Promise<string> {
  if (!typed.includes("@")) return typed;
  const { accounts } = await api.look(FindResult, "/api/ops/find", { q: typed });
  const [account] = accounts;
  if (!account) throw new FailedError("No account has this e-mail address.", { code: "not_found" });
  if (accounts.length > 1 && !account.emailConfirmed) {
    throw new FailedError(
      "Several accounts claim this e-mail address. Use the account ID instead: `npm run ops -- find EMAIL` shows it.",
    );
  }
  return account.id;
}
