import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { debuglog } from "node:util";
import { createApi } from "./api.js";
import { parseArguments } from "./arguments.js";
import { type Command, textOf } from "./command.js";
import { commandOf, help } from "./command-line.js";
import { chooseCredentials } from "./credentials.js";
import { explainNotFound } from "./explain-not-found.js";
import { FailedError, RefusedError, UsageError } from "./failures.js";
import { helpOf, usageLineOf } from "./help.js";
import { sessionFile } from "./session-file.js";
import { type Credentials, openSignIn } from "./sign-in.js";
import { openTerminal } from "./terminal.js";
import { json, visible, visibleLines } from "./text.js";

const exit = { ok: 0, problem: 1, usage: 2, refused: 3 } as const;

process.exitCode = await ops(process.argv.slice(2));

/** The operators' CLI. It uses HTTP only, so it works against any deployment. */
async function ops(args: string[]): Promise<number> {
  const command = commandOf(args);
  const atEnd: ((isFailed: boolean) => string | undefined)[] = [];
  let isFailed = false;
  try {
    if (command) return await run(command, args.slice(command.name.split(" ").length), atEnd);
    const { isAsked, text } = help(args);
    return print(isAsked ? exit.ok : exit.usage, text);
  } catch (error) {
    if (error instanceof UsageError) {
      const usage = command ? `\n\n${usageLineOf(command)} [--help]` : "";
      return print(exit.usage, visible(error.message) + usage);
    }
    isFailed = true;
    if (error instanceof RefusedError)
      return print(exit.refused, visible(`Permission denied: ${error.message}`));
    if (error instanceof FailedError) return print(exit.problem, visible(error.message));
    debuglog("ops")("%s", error instanceof Error ? error.stack : error);
    const [what] = String(error).split("\n");
    return print(exit.problem, `Unexpected error: ${what} (NODE_DEBUG=ops shows where)`);
  } finally {
    for (const notice of atEnd.map((textAtEnd) => textAtEnd(isFailed)))
      if (notice) console.error(notice);
  }
}

async function run(
  command: Command,
  rest: string[],
  atEnd: ((isFailed: boolean) => string | undefined)[],
): Promise<number> {
  const { OPS_TOKEN: token, OPS_URL, PORT } = process.env;
  const defaultUrl = OPS_URL || `http://localhost:${PORT || 8080}`;
  const { values, positionals } = parseArguments(command, rest, defaultUrl);
  if (values.help) return print(exit.ok, helpOf(command));
  const url = new URL(String(values.url));
  const terminal = openTerminal();
  const signIn = openSignIn(url, sessionFile(configDirectory(), url), terminal);
  const breakGlass = values["break-glass"] === true;
  const credentials = chooseCredentials({ token, breakGlass, signIn });
  const tokenCredentials = token
    ? chooseCredentials({ token, breakGlass: true, signIn })
    : undefined;
  atEnd.push((isFailed) => credentials.notice(isFailed) ?? tokenCredentials?.notice(isFailed));
  const apiWith = (credentials: Credentials) =>
    createApi({
      url,
      credentials,
      reason: textOf(values.reason),
      dryRun: values["dry-run"] === true,
    });
  const call = {
    args: positionals,
    options: values,
    api: apiWith(credentials),
    signIn,
    terminal,
    tokenApi: tokenCredentials && apiWith(tokenCredentials),
  };
  try {
    const { body, text, isProblem } = await command.run(call);
    console.log(values.json ? json(body) : visibleLines(text));
    return isProblem ? exit.problem : exit.ok;
  } catch (error) {
    throw explainNotFound(command, call, error);
  }
}

/** XDG Base Directory Specification. */
function configDirectory(): string {
  return join(process.env.XDG_CONFIG_HOME || join(homedir(), ".config"), "linguamate-ops");
}

function print(status: number, text: string): number {
  if (status === exit.ok) console.log(visibleLines(text));
  else console.error(visibleLines(text));
  return status;
}
