import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { createApi } from "./api.js";
import type { Command } from "./command.js";
import { commandOf, help } from "./command-line.js";
import { explainNotFound } from "./explain-not-found.js";
import { FailedError, RefusedError, UsageError } from "./failures.js";
import { helpOf, lineOf, usageOf } from "./help.js";
import { sessionFile } from "./session-file.js";
import { fixedCredentials, openSignIn } from "./sign-in.js";
import { openTerminal } from "./terminal.js";
import { json, visibleLines } from "./text.js";

const exit = { ok: 0, problem: 1, usage: 2, refused: 3 } as const;

process.exitCode = await ops(process.argv.slice(2));

/** The operators' CLI. It uses HTTP only, so it works against any deployment. */
async function ops(args: string[]): Promise<number> {
  const command = commandOf(args);
  try {
    if (command) return await run(command, args.slice(command.name.split(" ").length));
    const { isAsked, text } = help(args);
    return print(isAsked ? exit.ok : exit.usage, text);
  } catch (error) {
    if (error instanceof UsageError) {
      return print(exit.usage, command ? `${error.message}\n\n${usageOf(command)}` : error.message);
    }
    if (error instanceof RefusedError)
      return print(exit.refused, `Permission denied: ${error.message}`);
    if (error instanceof FailedError) return print(exit.problem, error.message);
    throw error;
  }
}

async function run(command: Command, rest: string[]): Promise<number> {
  const { values, positionals } = parse(command, rest);
  if (values.help) return print(exit.ok, helpOf(command));
  const needed = command.args.filter((arg) => !arg.startsWith("[")).length;
  if (positionals.length < needed || positionals.length > command.args.length) {
    throw new UsageError(`Usage: ${lineOf(command)}`);
  }
  const reason = values.reason as string | undefined;
  if (command.changes && !reason) throw new UsageError("--reason TEXT is required.");
  const typedUrl = String(values.url);
  if (!URL.canParse(typedUrl)) throw new UsageError(`Invalid URL: ${typedUrl}`);
  const url = new URL(typedUrl);
  const signIn = openSignIn(url, sessionFile(configDirectory(), url), openTerminal());
  const { OPS_TOKEN: token } = process.env;
  const api = createApi({
    url,
    credentials: token ? fixedCredentials(token) : signIn,
    reason,
    dryRun: values["dry-run"] === true,
  });
  const hasOpsToken = Boolean(token);
  const call = { args: positionals, options: values, api, signIn, hasOpsToken };
  const { body, text, isProblem } = await command.run(call).catch((error) => {
    throw explainNotFound(command, call, error);
  });
  console.log(values.json ? json(body) : visibleLines(text));
  return isProblem ? exit.problem : exit.ok;
}

/** XDG Base Directory Specification. */
function configDirectory(): string {
  return join(process.env.XDG_CONFIG_HOME || join(homedir(), ".config"), "linguamate-ops");
}

function parse(command: Command, args: string[]) {
  const url = process.env.OPS_URL || `http://localhost:${process.env.PORT || 8080}`;
  try {
    const { values, positionals } = parseArgs({
      args: [...args.filter((arg) => !isSessionId(arg)), "--", ...args.filter(isSessionId)],
      allowPositionals: true,
      options: {
        ...command.options,
        url: { type: "string", default: url },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
        ...(command.changes && {
          reason: { type: "string" },
          "dry-run": { type: "boolean", default: false },
        }),
      },
    });
    return { values: values as Record<string, string | boolean | undefined>, positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Session IDs can begin with a dash; such an argument is not an option. */
function isSessionId(arg: string): boolean {
  return /^-[\w-]{21}$/.test(arg);
}

function print(status: number, text: string): number {
  if (status === exit.ok) console.log(visibleLines(text));
  else console.error(visibleLines(text));
  return status;
}
