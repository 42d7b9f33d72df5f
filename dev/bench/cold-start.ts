import { execFile } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { median } from "simple-statistics";
import type { CleanUp } from "./clean-up.js";
import { type Program, startServer } from "./server.js";
import type { BuiltProject } from "./stage.js";

/** Medians of new processes. */
export interface ColdStart {
  /** From the start of the server's process to its first reply that needs both stores. */
  firstReplyMs: number;
  largestFunction: string;
  importCpuMs: number;
  importMs: number;
}

export async function measureColdStart(
  program: Program,
  { folder, functions }: BuiltProject,
  cleanUp: CleanUp,
): Promise<ColdStart> {
  const { file } = functions.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  const name = file.replace(/\.ts$/, ".func");
  const bundle = join(folder, ".vercel/output/functions", name, "index.mjs");
  const script = `
    const before = process.cpuUsage(), startedAt = performance.now();
    await import(${JSON.stringify(pathToFileURL(bundle))});
    const ms = performance.now() - startedAt, { user, system } = process.cpuUsage(before);
    console.log(JSON.stringify([ms, (user + system) / 1000]));`;
  const times: number[][] = [[], [], []];
  for (let i = 0; i < 7; i++) {
    const { firstReplyMs, stop } = await startServer(program, cleanUp);
    await stop();
    const args = ["--input-type=module", "-e", script];
    const imported = JSON.parse((await promisify(execFile)(process.execPath, args)).stdout);
    for (const [at, time] of [firstReplyMs, ...imported].entries()) times[at]?.push(time);
  }
  const [firstReplyMs = 0, importMs = 0, importCpuMs = 0] = times.map(median);
  return { firstReplyMs, largestFunction: file, importMs, importCpuMs };
}
