import { distance } from "fastest-levenshtein";
import { listOf } from "./checks.js";
import type { Command } from "./command.js";
import { commands } from "./commands.js";
import { groupUsage, lineOf, usage } from "./help.js";

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

/** The help for arguments that name no command. `isAsked`: with --help, `help` or nothing, not by mistake. */
export function help(args: string[]): { isAsked: boolean; text: string } {
  const words = args.filter((arg) => arg !== "--help" && arg !== "help");
  const isAsked = words.length < args.length;
  const option = words.findIndex((word) => word.startsWith("-"));
  const typed = option < 0 ? words : words.slice(0, option);
  const [first] = typed;
  if (first === undefined && option >= 0) {
    return { isAsked: false, text: "Options follow the command.\n\nHelp: npm run ops -- --help" };
  }
  if (first === undefined) return { isAsked: true, text: usage() };
  const group = groupUsage(first);
  if (isAsked && group !== null) return { isAsked, text: group };
  const unknown = typed.findIndex((_, at) => !isBegun(typed.slice(0, at + 1)));
  const text = unknown < 0 ? `Which command?\n\n${group}` : mistyped(typed.slice(0, unknown + 1));
  return { isAsked: false, text };
}

function mistyped(words: string[]): string {
  const typed = words.join(" ");
  const group = words.slice(0, -1);
  const known = commands.filter(({ name }) => name.startsWith(group.join(" ")));
  // Compared word by word, so that `sesions` finds the group.
  const names = known.map(({ name }) => name.split(" ").slice(0, words.length).join(" "));
  const nearest = Math.min(3, ...names.map((name) => distance(typed, name)));
  const meant = [...new Set(names)].filter((name) => distance(typed, name) === nearest);
  const lines = meant.map((name) => {
    const command = known.find((one) => one.name === name);
    return command ? lineOf(command) : name;
  });
  const suggestion = lines.length > 0 ? `Did you mean ${listOf(lines)}? ` : "";
  const where = [...group.slice(0, 1), "--help"].join(" ");
  return `Unknown command: ${typed}\n\n${suggestion}Help: npm run ops -- ${where}`;
}

function isBegun(words: string[]): boolean {
  return commands.some(({ name }) => `${name} `.startsWith(`${words.join(" ")} `));
}
