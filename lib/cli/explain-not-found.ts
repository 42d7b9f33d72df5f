import { shellWord } from "../operations/shell-word.js";
import { anAccount, unconfirmedText } from "./account.js";
import { listOf } from "./checks.js";
import { type Call, type Command, textOf } from "./command.js";
import { FailedError, NotFoundError, UsageError } from "./failures.js";
import { visible } from "./text.js";

/** For a not_found error: an error that names the missing thing and the valid values. Other errors are returned as they are. */
export function explainNotFound(
  { names }: Command,
  { args: [first], options }: Pick<Call, "args" | "options">,
  error: unknown,
): unknown {
  const typed = first ?? textOf(options.user);
  if (!(error instanceof NotFoundError) || !names || typed === undefined) return error;
  if ("shownBy" in names && names.shownBy === anAccount.shownBy && typed.includes("@")) {
    return new FailedError(`${unconfirmedText(typed)} ${error.message}`);
  }
  const message = `There is no ${names.what} ${visible(typed)}`;
  if ("shownBy" in names) {
    const shownBy = names.shownBy.replace("WHAT", shellWord(typed));
    return new FailedError(
      `${message}. List them with \`npm run ops -- ${shownBy}\`. ${error.message}`,
      error.body,
    );
  }
  if (names.oneOf.includes(typed)) return error;
  return new UsageError(`${message}. Use ${listOf(names.oneOf)}.`, error.body);
}
