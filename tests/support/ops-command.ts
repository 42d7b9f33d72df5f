import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { bundleOps } from "../../dev/ops-bundle.js";

export interface CommandOutcome {
  status: number | null;
  out: string;
  error: string;
}

interface CommandInput {
  env: Record<string, string>;
  /** Lines for standard input. */
  stdin?: string[];
}

/** Run the bundled ops command in its own process. */
export async function ops(args: string[], input: CommandInput): Promise<CommandOutcome> {
  return run([await opsBundle(), ...args], input);
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

function run(args: string[], { env, stdin = [] }: CommandInput): Promise<CommandOutcome> {
  const child = spawn(process.execPath, args, { env: { PATH: process.env.PATH, ...env } });
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
