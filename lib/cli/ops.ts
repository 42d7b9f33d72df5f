import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { openApi } from "./api.js";
import type { Command } from "./command.js";
import { commandOf, help } from "./command-line.js";
import { FailedError, RefusedError, UsageError } from "./failures.js";
import { helpOf, lineOf, usageOf } from "./help.js";
import { notThere } from "./not-there.js";
import { sessionFile } from "./session-file.js";
import { fixedCredentials, openSignIn } from "./sign-in.js";
import { openTerminal } from "./terminal.js";
import { json, lines } from "./text.js";

const exit = { ok: 0, problem: 1, usage: 2, refused: 3 } as const;

process.exitCode = await ops(process.argv.slice(2));

/** The operators' command line. It speaks HTTP only, so it works against any deployment. */
async function ops(args: string[]): Promise<number> {
  const command = commandOf(args);
  try {
    if (command) return await run(command, args.slice(command.name.split(" ").length));
    const { isAsked, text } = help(args);
    return told(isAsked ? exit.ok : exit.usage, text);
  } catch (error) {
    if (error instanceof UsageError) {
      return told(exit.usage, command ? `${error.message}\n\n${usageOf(command)}` : error.message);
    }
    if (error instanceof RefusedError) return told(exit.refused, `Refused: ${error.message}`);
    if (error instanceof FailedError) return told(exit.problem, error.message);
    throw error;
  }
}

async function run(command: Command, rest: string[]): Promise<number> {
  const { values, positionals } = parsed(command, rest);
  if (values.help) return told(exit.ok, helpOf(command));
  const needed = command.args.filter((arg) => !arg.startsWith("[")).length;
  if (positionals.length < needed || positionals.length > command.args.length) {
    throw new UsageError(`It is typed as: ${lineOf(command)}`);
  }
  const reason = values.reason as string | undefined;
  if (command.changes && !reason) throw new UsageError("Say why, in --reason TEXT.");
  const given = String(values.url);
  if (!URL.canParse(given)) throw new UsageError(`Not a URL: ${given}`);
  const url = new URL(given);
  const signIn = openSignIn(url, sessionFile(configDirectory(), url), openTerminal());
  const { OPS_TOKEN: token } = process.env;
  const api = openApi({
    url,
    credentials: token ? fixedCredentials(token) : signIn,
    reason,
    dryRun: values["dry-run"] === true,
  });
  const call = { args: positionals, options: values, api, signIn };
  const { body, text, isProblem } = await command.run(call).catch((error) => {
    throw notThere(command, call, error);
  });
  console.log(values.json ? json(body) : lines(text));
  return isProblem ? exit.problem : exit.ok;
}

/** By the XDG Base Directory Specification. */
function configDirectory(): string {
  return join(process.env.XDG_CONFIG_HOME || join(homedir(), ".config"), "linguamate-ops");
}

function parsed(command: Command, args: string[]) {
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

/** One of 64 begins with a dash, and is no option. */
function isSessionId(arg: string): boolean {
  return /^-[\w-]{21}$/.test(arg);
}

function told(status: number, text: string): number {
  if (status === exit.ok) console.log(lines(text));
  else console.error(lines(text));
  return status;
}
