import { execFile } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Run a program of this folder in its own process; it prints its result as one line of JSON. */
export async function runProgram<Result>(file: string, args: string[]): Promise<Result> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--import",
    "tsx",
    path,
    ...args,
  ]);
  return JSON.parse(stdout);
}
