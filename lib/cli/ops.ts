import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { debuglog } from "node:util";
import { createApi } from "./api.js";
import { parseArguments } from "./arguments.js";
import { type Command, textOf } from "./command.js";
import { commandOf, help } from "./command-line.js";
import { targetText } from "./command-text.js";
import { chooseCredentials, isApiTokenText } from "./credentials.js";
import { explainNotFound } from "./explain-not-found.js";
import { FailedError, type FailureBody, RefusedError, UsageError } from "./failures.js";
import { helpOf, usageLineOf } from "./help.js";
import { mayReceiveToken } from "./may-send.js";
import { sessionFile } from "./session-file.js";
import { type Credentials, openSignIn } from "./sign-in.js";
import { openTerminal } from "./terminal.js";
import { brokenAtSpaces, json, visible, visibleLines } from "./text.js";

const exit = { ok: 0, problem: 1, usage: 2, refused: 3 } as const;

interface Outcome {
  status: number;
  text: string;
  /** Of a failure: printed on stderr, with --json this instead of the text. */
  failure?: FailureBody;
}

type Notice = (isRefused: boolean) => string | undefined;

process.exitCode = await ops(process.argv.slice(2));

/** The operators' CLI. It uses HTTP only, so it works against any deployment. */
async function ops(args: string[]): Promise<number> {
  const command = commandOf(args);
  const atEnd: Notice[] = [];
  const { status, text, failure } = command
    ? await run(command, args.slice(command.name.split(" ").length), atEnd).catch((error) =>
        failed(error, command),
      )
    : unknownCommand(args);
  const notices = atEnd
    .map((notice) => notice(status === exit.refused))
    .filter((notice) => notice !== undefined);
  // Before the arguments are checked: a wrong option is a failure, too.
  const isJson = args.includes("--json");
  if (failure && isJson) {
    console.error(json({ ...failure, ...(notices.length > 0 && { notices }) }));
    return status;
  }
  /** A program that reads the lines gets them whole. */
  const print = (to: "log" | "error", lines: string) => {
    const { isTTY } = to === "log" ? process.stdout : process.stderr;
    console[to](isTTY && !isJson ? brokenAtSpaces(lines) : lines);
  };
  print(failure ? "error" : "log", visibleLines(text));
  for (const notice of notices) print("error", notice);
  return status;
}

function unknownCommand(args: string[]): Outcome {
  const { isAsked, text } = help(args);
  if (isAsked) return { status: exit.ok, text };
  return { status: exit.usage, text, failure: { code: "usage", message: text } };
}

function failed(error: unknown, command: Command): Outcome {
  if (error instanceof UsageError) {
    const usageLine =
      error.body.code === "cancelled" ? "" : `\n\n${usageLineOf(command, "[--help]")}`;
    const text = visible(error.message) + usageLine;
    return { status: exit.usage, text, failure: bodyOf(error) };
  }
  if (error instanceof RefusedError) {
    const text = visible(`Permission denied: ${error.message}`);
    return { status: exit.refused, text, failure: bodyOf(error) };
  }
  if (error instanceof FailedError) {
    return { status: exit.problem, text: visible(error.message), failure: bodyOf(error) };
  }
  debuglog("ops")("%s", error instanceof Error ? error.stack : error);
  const [what] = String(error).split("\n");
  const text = `Unexpected error: ${what} (NODE_DEBUG=ops shows where)`;
  return { status: exit.problem, text, failure: { code: "unexpected_error", message: text } };
}

function bodyOf({ body, message }: UsageError | RefusedError | FailedError): FailureBody {
  return { ...body, message };
}

async function run(command: Command, rest: string[], atEnd: Notice[]): Promise<Outcome> {
  const { OPS_TOKEN: token, OPS_URL, PORT } = process.env;
  const defaultUrl = OPS_URL || `http://localhost:${PORT || 8080}`;
  const { values, positionals } = parseArguments(command, rest, defaultUrl);
  if (values.help) return { status: exit.ok, text: helpOf(command) };
  const url = new URL(String(values.url ?? defaultUrl));
  const terminal = openTerminal();
  const target = targetText({ options: values });
  const signIn = openSignIn(url, sessionFile(configDirectory(), url), terminal, target);
  const breakGlass = values["break-glass"] === true;
  const given = { url, token, tokenUrl: OPS_URL, breakGlass, signIn };
  const credentials = chooseCredentials(given);
  const tokenCredentials =
    token && !isApiTokenText(token) && mayReceiveToken(url, OPS_URL)
      ? chooseCredentials({ ...given, breakGlass: true })
      : undefined;
  atEnd.push((isRefused) => credentials.notice(isRefused) ?? tokenCredentials?.notice(isRefused));
  const apiWith = (credentials: Credentials) =>
    createApi({
      url,
      credentials,
      reason: textOf(values.reason),
      dryRun: values["dry-run"] === true,
      target,
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
    const status = isProblem ? exit.problem : exit.ok;
    return { status, text: values.json ? json(body) : text };
  } catch (error) {
    throw explainNotFound(command, call, error);
  }
}

/** XDG Base Directory Specification. */
function configDirectory(): string {
  return join(process.env.XDG_CONFIG_HOME || join(homedir(), ".config"), "linguamate-ops");
}
