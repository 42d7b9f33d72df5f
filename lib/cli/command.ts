import type { ParseArgsConfig } from "node:util";
import type { Api } from "./api.js";
import type { Check } from "./checks.js";
import type { Result } from "./result.js";
import type { SignIn } from "./sign-in.js";
import type { Terminal } from "./terminal.js";

export interface Call {
  /** The arguments after the command's name. */
  args: string[];
  options: Record<string, string | boolean | undefined>;
  api: Api;
  /** The session stored on this machine. */
  signIn: SignIn;
  /** For secrets, which must not be arguments: other users of the machine see those. */
  terminal: Terminal;
  /** Uses OPS_TOKEN, also when there is a session; undefined without one, and where it must not be sent. */
  tokenApi?: Api | undefined;
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
  /** In addition to --url, --json, --break-glass and --help; a change also takes --reason and --dry-run. */
  options?: NonNullable<ParseArgsConfig["options"]>;
  /** Those of the options that are required, for the help. */
  required?: string[];
  /** By the name of the argument or option, such as `USER` or `ttl`. */
  checks?: Record<string, Check>;
  changes?: boolean;
  /** More help: examples and warnings. */
  notes?: string;
  run(call: Call): Promise<Result>;
}

export function textOf(value: string | boolean | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
