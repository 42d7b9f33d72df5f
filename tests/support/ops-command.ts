import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { Readable } from "node:stream";
import { bundleOps } from "../../dev/ops-bundle.js";
import { sessionFile } from "../../lib/cli/session-file.js";
import { env as readEnvironment } from "../../lib/env.js";

export interface CommandOutcome {
  status: number | null;
  out: string;
  error: string;
}

interface CommandInput {
  env: Record<string, string>;
  /** Lines for standard input. */
  stdin?: string[];
  /** Standard input looks like a terminal; only in this process. */
  isTerminal?: boolean;
  /** With the .env file; not in this process. */
  cwd?: string;
}

/** Store a session, as a sign-in does. `config` is the command's XDG_CONFIG_HOME. */
export function keepSession(config: string, url: string, accessToken: string): void {
  sessionFile(join(config, "linguamate-ops"), new URL(url)).write({
    deviceId: "a-device-of-the-tests",
    accessToken,
    refreshToken: "none",
    expiresAt: Date.now() + 600_000,
  });
}

/** Run the bundled ops command in its own process. */
export async function ops(args: string[], input: CommandInput): Promise<CommandOutcome> {
  return run([await opsBundle(), ...args], input);
}

/** Run the command in this process, which is much faster. Calls run one after the other. */
export function opsInProcess(args: string[], input: CommandInput): Promise<CommandOutcome> {
  const outcome = lastRun.then(() => runHere(args, input));
  lastRun = outcome.catch(() => {});
  return outcome;
}

let lastRun: Promise<unknown> = Promise.resolve();
let runs = 0;

async function runHere(
  args: string[],
  { env, stdin = [], isTerminal = false }: CommandInput,
): Promise<CommandOutcome> {
  // The functions under test keep the environment that they have read, also while it is replaced here.
  readEnvironment();
  const { argv, env: environment, exitCode } = process;
  const { log, error } = console;
  const stdinBefore = Object.getOwnPropertyDescriptor(process, "stdin");
  const read = { out: "", error: "" };
  console.log = (text) => {
    read.out += `${text}\n`;
  };
  console.error = (text) => {
    read.error += `${text}\n`;
  };
  process.argv = [process.execPath, "ops", ...args];
  process.env = { PATH: environment.PATH, ...env };
  Object.defineProperty(process, "stdin", {
    configurable: true,
    value: Object.assign(Readable.from(stdin.map((line) => `${line}\n`)), { isTTY: isTerminal }),
  });
  try {
    runs += 1;
    // The command runs when its module is evaluated, which a new query repeats.
    await import(/* @vite-ignore */ `${resolve("lib/cli/ops.ts")}?run=${runs}`);
    return { status: Number(process.exitCode), ...read };
  } finally {
    Object.assign(console, { log, error });
    Object.assign(process, { argv, env: environment });
    process.exitCode = exitCode;
    if (stdinBefore) Object.defineProperty(process, "stdin", stdinBefore);
  }
}

/** Run `npm run ops -- …`, which bundles the command first. */
export function bundledOps(args: string[], input: CommandInput): Promise<CommandOutcome> {
  return run([resolve("dev/run.mjs"), "ops", ...args], input);
}

/** The bundle that `npm run ops` creates, created once per worker. */
export function opsBundle(): Promise<string> {
  bundled ??= bundle();
  return bundled;
}

let bundled: Promise<string> | undefined;

async function bundle(): Promise<string> {
  const file = join(mkdtempSync(join(tmpdir(), "linguamate-test-ops-")), "ops.mjs");
  await bundleOps(file);
  return file;
}

function run(args: string[], { env, stdin = [], cwd }: CommandInput): Promise<CommandOutcome> {
  const child = spawn(process.execPath, args, { cwd, env: { PATH: process.env.PATH, ...env } });
  const read = { out: "", error: "" };
  child.stdout.on("data", (text) => {
    read.out += text;
  });
  child.stderr.on("data", (text) => {
    read.error += text;
  });
  child.stdin.end(stdin.map((line) => `${line}\n`).join(""));
  return new Promise((settle, reject) => {
    child.once("error", reject);
    child.once("close", (status) => settle({ status, ...read }));
  });
}
