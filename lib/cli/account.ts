import { FindResult } from "../operations/find.js";
import { shellWord } from "../operations/shell-word.js";
import type { Api } from "./api.js";
import { FailedError } from "./failures.js";
import { visible } from "./text.js";

/** `names` of a command about an account. */
export const anAccount = {
  what: "account with the ID, session ID, correlation ID or confirmed e-mail address",
  shownBy: "find WHAT",
};

/** For a URL: the ID of the account with this e-mail address; the server looks up any other text. Throws `FailedError`. */
export async function accountId(api: Api, typed: string): Promise<string> {
  if (!typed.includes("@")) return typed;
  const { accounts } = await api.look(FindResult, "/api/ops/find", { q: typed });
  const account = accounts.find(
    ({ emailConfirmed, addressChange }) => emailConfirmed && !addressChange?.isLookedUp,
  );
  if (!account) throw new FailedError(unconfirmedText(typed), { code: "not_found" });
  return account.id;
}

/** Why no command chooses an account by an address that it only claims. */
export function unconfirmedText(email: string): string {
  return [
    `No account has confirmed the e-mail address ${visible(email)}.`,
    "An account that only claims it or had it before is never chosen, because anyone can claim any address.",
    `\`npm run ops -- find ${shellWord(email)}\` shows those accounts: use the ID.`,
  ].join(" ");
}
