import type { Command } from "./command.js";
import { commands } from "./commands.js";
import { groupUsage, usage } from "./help.js";

/** The command with the longest matching name; undefined without a match, and when the word after a group's name is unknown. */
export function commandOf(args: string[]): Command | undefined {
  const [found] = commands
    .filter(({ name }) => name.split(" ").every((word, at) => args[at] === word))
    .sort((one, other) => other.name.length - one.name.length);
  if (!found) return undefined;
  const next = args[found.name.split(" ").length];
  const isGroup = commands.some(({ name }) => name.startsWith(`${found.name} `));
  const isMistyped = isGroup && next !== undefined && !next.startsWith("-");
  return isMistyped ? undefined : found;
}

/** The help for arguments that name no command. `isAsked`: with --help or `help`, not by mistake. */
export function help(args: string[]): { isAsked: boolean; text: string } {
  const words = args.filter((arg) => arg !== "--help" && arg !== "help");
  const isAsked = words.length < args.length;
  const option = words.findIndex((word) => word.startsWith("-"));
  const typed = option < 0 ? words : words.slice(0, option);
  const [first] = typed;
  if (first === undefined) {
    return { isAsked, text: isAsked ? usage() : `Which command?\n\n${usage()}` };
  }
  const group = groupUsage(first);
  if (group === null) return { isAsked: false, text: `Unknown command: ${first}\n\n${usage()}` };
  if (isAsked) return { isAsked, text: group };
  const unknown = typed.findIndex((_, at) => !isBegun(typed.slice(0, at + 1)));
  const complaint =
    unknown < 0 ? "Which command?" : `Unknown command: ${typed.slice(0, unknown + 1).join(" ")}`;
  return { isAsked, text: `${complaint}\n\n${group}` };
}

function isBegun(words: string[]): boolean {
  return commands.some(({ name }) => `${name} `.startsWith(`${words.join(" ")} `));
}
