import { shellWord } from "../operations/shell-word.js";
import { type Call, textOf } from "./command.js";

/** A whole command to copy, for the same deployment and with the same token. Options without a value are left out. */
export function commandText(
  call: Pick<Call, "options">,
  words: string,
  options: Record<string, unknown> = {},
): string {
  const given = Object.entries(options).flatMap(([name, value]) => {
    if (typeof value !== "string") return [];
    const word = shellWord(value);
    // A separate value that begins with a dash would be taken for an option.
    return [value.startsWith("-") ? `--${name}=${word}` : `--${name} ${word}`];
  });
  return [`npm run ops -- ${words}`, ...given].join(" ") + targetText(call);
}

/** The typed options that say to which deployment and with which token: ` --url https://api.example.com`. */
export function targetText({ options }: Pick<Call, "options">): string {
  const url = textOf(options.url);
  return [
    ...(url === undefined ? [] : [` --url ${shellWord(url)}`]),
    ...(options["break-glass"] === true ? [" --break-glass"] : []),
  ].join("");
}
