import type { ParseArgsConfig } from "node:util";
import type { Api } from "./api.js";
import type { Result } from "./result.js";
import type { SignIn } from "./sign-in.js";

export interface Call {
  /** What stands after the command's name. */
  args: string[];
  options: Record<string, string | boolean | undefined>;
  api: Api;
  /** The session of whoever sits at this terminal. */
  signIn: SignIn;
}

/** A kind of thing, with all the names there are, or the command that shows them. */
export type Named = { what: string; oneOf: readonly string[] } | { what: string; shownBy: string };

/** One command of the operators. */
export interface Command {
  /** As it is typed after `npm run ops --`: `flag off`. */
  name: string;
  /** What has to follow the name, such as `NAME`; `[NAME]` may be left out. */
  args: string[];
  summary: string;
  /** What its argument names: to be told where there is no such thing. */
  names?: Named;
  /** Its own options, besides --url, --json and --help; a change also takes --reason and --dry-run. */
  options?: NonNullable<ParseArgsConfig["options"]>;
  changes?: boolean;
  /** What else its help tells: examples, and what to know before it is run. */
  notes?: string;
  run(call: Call): Promise<Result>;
}

/** The text that was given for an option. */
export function textOf(value: string | boolean | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
