import { spawn } from "node:child_process";
import { resolve } from "node:path";
import process from "node:process";

export interface CommandOutcome {
  status: number | null;
  out: string;
  error: string;
}

/** Run `npm run ops -- …` as a process of its own. `stdin` is piped into it, a line each. */
export function ops(
  args: string[],
  { env, stdin = [] }: { env: Record<string, string>; stdin?: string[] },
): Promise<CommandOutcome> {
  const child = spawn(process.execPath, [resolve("dev/run.mjs"), "ops", ...args], {
    env: { PATH: process.env.PATH, ...env },
  });
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
