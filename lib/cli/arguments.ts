import { parseArgs } from "node:util";
import { closest, distance } from "fastest-levenshtein";
import { listOf, text } from "./checks.js";
import type { Command } from "./command.js";
import { UsageError } from "./failures.js";

export type Options = Record<string, string | boolean | undefined>;

/** The arguments after the command's name, checked, so that nothing is sent for a mistake. `url` is the typed one only. Throws `UsageError`. */
export function parseArguments(
  command: Command,
  args: string[],
  defaultUrl: string,
): { positionals: string[]; values: Options } {
  const options = optionsOf(command);
  const { tokens } = parseArgs({
    args: [...args.filter((arg) => !isSessionId(arg)), "--", ...args.filter(isSessionId)],
    allowPositionals: true,
    strict: false,
    tokens: true,
    options,
  });
  const positionals: string[] = [];
  const values: Options = {};
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value, inlineValue } = token;
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (!option) throw new UsageError(`Unknown option: ${rawName}${meant(rawName, options)}`);
    if (option.type === "boolean" && value !== undefined) {
      throw new UsageError(`${rawName} takes no value.`);
    }
    // A dash begins the next option: the value was forgotten.
    if (
      option.type === "string" &&
      (value === undefined || (!inlineValue && value.startsWith("-")))
    ) {
      throw new UsageError(`${rawName} needs a value.`);
    }
    values[name] = value ?? true;
  }
  if (values.help) return { positionals, values };
  const defaults = Object.entries(options).map(([name, option]) => [name, option.default]);
  const all: Options = { ...Object.fromEntries(defaults), ...values };
  requireAll(command, positionals, all);
  requireUrl(String(values.url ?? defaultUrl));
  return { positionals, values: all };
}

function optionsOf({ options, changes }: Command): NonNullable<Command["options"]> {
  return {
    ...options,
    url: { type: "string" },
    json: { type: "boolean", default: false },
    "break-glass": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
    ...(changes && {
      reason: { type: "string" },
      "dry-run": { type: "boolean", default: false },
    }),
  };
}

function requireAll(command: Command, positionals: string[], values: Options): void {
  const { args, names, changes } = command;
  const checks: Command["checks"] = { reason: text(500, 3), ...command.checks };
  const missing = args.slice(positionals.length).find((arg) => !arg.startsWith("["));
  if (missing) throw new UsageError(`${missing} is missing.`);
  if (changes && !values.reason) throw new UsageError("--reason TEXT is required.");
  const unexpected = positionals[args.length];
  if (unexpected !== undefined) throw new UsageError(`Unexpected argument: ${unexpected}`);
  const [first = ""] = positionals;
  if (names && "oneOf" in names && !names.oneOf.includes(first)) {
    throw new UsageError(`There is no ${names.what} ${first}. Use ${listOf(names.oneOf)}.`);
  }
  const given = [
    ...args.map(
      (arg, at) => [arg.replace(/[[\]]/g, ""), arg.replace(/[[\]]/g, ""), positionals[at]] as const,
    ),
    ...Object.entries(values).map(([name, value]) => [name, `--${name}`, value] as const),
  ];
  for (const [name, shown, value] of given) {
    const problem = typeof value === "string" ? checks[name]?.(value) : undefined;
    if (problem) throw new UsageError(`${shown} ${problem}, not ${value || "empty"}.`);
  }
}

function requireUrl(typed: string): void {
  const url = URL.canParse(typed) ? new URL(typed) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`Invalid URL: ${typed}. Example: https://api.example.com`);
  }
  if (url.username || url.password) throw new UsageError("The URL must not have a password.");
}

/** A suggestion for a mistyped option. */
function meant(typed: string, options: object): string {
  const nearest = closest(
    typed,
    Object.keys(options).map((name) => `--${name}`),
  );
  return distance(typed, nearest) <= Math.min(3, typed.length / 3)
    ? `. Did you mean ${nearest}?`
    : "";
}

/** Session IDs can begin with a dash; such an argument is not an option. */
function isSessionId(arg: string): boolean {
  return /^-[\w-]{21}$/.test(arg);
}
