import type { ParseArgsConfig } from "node:util";
import type { Api } from "./api.js";
import type { Result } from "./result.js";
import type { SignIn } from "./sign-in.js";

export interface Call {
  /** The arguments after the command's name. */
  args: string[];
  options: Record<string, string | boolean | undefined>;
  api: Api;
  /** The session stored on this machine. */
  signIn: SignIn;
  /** OPS_TOKEN is set, which `api` uses instead of the session. */
  hasOpsToken?: boolean;
}

/** What an argument refers to, with all its values or the command that lists them. */
type Named = { what: string; oneOf: readonly string[] } | { what: string; shownBy: string };

export interface Command {
  /** As typed after `npm run ops --`: `flag off`. */
  name: string;
  /** Required arguments, such as `NAME`; `[NAME]` is optional. */
  args: string[];
  summary: string;
  /** What the first argument refers to, for the message when it does not exist. */
  names?: Named;
  /** In addition to --url, --json and --help; a change also takes --reason and --dry-run. */
  options?: NonNullable<ParseArgsConfig["options"]>;
  changes?: boolean;
  /** More help: examples and warnings. */
  notes?: string;
  run(call: Call): Promise<Result>;
}

export function textOf(value: string | boolean | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
