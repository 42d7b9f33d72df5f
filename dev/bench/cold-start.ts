import { execFile } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { type ServerCommand, serve } from "./served-process.js";
import type { BuiltProject } from "./stage.js";
import { median } from "./statistics.js";

/** Medians over fresh processes. */
export interface ColdStart {
  /** From the start of a server's process to its first reply that needed both stores. */
  firstReplyMs: number;
  /** To import the largest function's bundle with all that it imports. */
  loadCpuMs: number;
  loadMs: number;
  loadedFunction: string;
}

const processes = 7;

export async function measureColdStart(
  command: ServerCommand,
  project: BuiltProject,
): Promise<ColdStart> {
  const firstReplies: number[] = [];
  const loads: { cpuMs: number; ms: number }[] = [];
  const largest = project.functions.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  const bundle = join(
    project.folder,
    ".vercel/output/functions",
    largest.file.replace(/\.ts$/, ".func"),
    "index.mjs",
  );
  for (let i = 0; i < processes; i++) {
    const server = await serve(command);
    firstReplies.push(server.firstReplyMs);
    await server.stop();
    loads.push(await loadFunction(bundle));
  }
  return {
    firstReplyMs: median(firstReplies),
    loadCpuMs: median(loads.map(({ cpuMs }) => cpuMs)),
    loadMs: median(loads.map(({ ms }) => ms)),
    loadedFunction: largest.file,
  };
}

async function loadFunction(bundle: string): Promise<{ cpuMs: number; ms: number }> {
  const script = `
    const before = process.cpuUsage(), startedAt = performance.now();
    await import(${JSON.stringify(pathToFileURL(bundle).href)});
    const ms = performance.now() - startedAt, { user, system } = process.cpuUsage(before);
    console.log(JSON.stringify({ cpuMs: (user + system) / 1000, ms }));`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--input-type=module",
    "-e",
    script,
  ]);
  return JSON.parse(stdout);
}
