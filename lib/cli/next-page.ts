import { limitMax } from "../page.js";
import { numberFrom, text } from "./checks.js";
import { type Call, textOf } from "./command.js";
import { commandText } from "./command-text.js";

/** Of a list with pages. */
export const pageOptions = { limit: { type: "string" }, cursor: { type: "string" } } as const;
export const pageChecks = { limit: numberFrom(1, limitMax), cursor: text(256) };

export function pageOf({ options }: Pick<Call, "options">) {
  return { limit: textOf(options.limit), cursor: textOf(options.cursor) };
}

/** After the rows: the command that lists the next page; empty on the last one, and for an older server without pages. */
export function nextPageText(
  call: Pick<Call, "options">,
  words: string,
  given: Record<string, unknown>,
  nextCursor: string | null | undefined,
): string {
  if (!nextCursor) return "";
  return `\nMore:\n${commandText(call, words, { ...given, cursor: nextCursor })}`;
}
