import { type Call, type Command, textOf } from "./command.js";
import { FailedError, NotFoundError, UsageError } from "./failures.js";
import { visible } from "./text.js";

/**
 * What to tell of a failure: where the server knows nothing of what the command names, that, and which
 * names there are. Every other failure is as it was.
 */
export function notThere(
  { names }: Command,
  { args: [first], options }: Pick<Call, "args" | "options">,
  error: unknown,
): unknown {
  const typed = first ?? textOf(options.user);
  if (!(error instanceof NotFoundError) || !names || typed === undefined) return error;
  const said = `There is no ${names.what} ${visible(typed)}`;
  if ("shownBy" in names) {
    return new FailedError(
      `${said}: \`${names.shownBy}\` shows those there are.\n${error.message}`,
    );
  }
  if (names.oneOf.includes(typed)) return error;
  return new UsageError(`${said}: name ${names.oneOf.join(" or ")}.`);
}
