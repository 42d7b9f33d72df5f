import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { listenLocally } from "../listen-locally.js";
import { endWithThisProcess } from "./child.js";
import type { CleanUp } from "./clean-up.js";

/** A server in its own process. */
export interface Server {
  url: string;
  /** From the start of the process to the first 200. */
  firstReplyMs: number;
  usage(): ReturnType<typeof readUsage>;
  stop(): Promise<void>;
}

export interface Program {
  /** Arguments of Node.js. */
  args: string[];
  folder: string;
  /** The whole environment except PORT. */
  env: Record<string, string>;
  /** Requested until it replies with 200. */
  probe: { path: string; headers?: Record<string, string> };
}

export async function startServer(
  { args, folder, env, probe }: Program,
  cleanUp: CleanUp,
): Promise<Server> {
  const { url, close } = await listenLocally(createServer());
  await close();
  const { port } = new URL(url);
  const logFile = join(folder, `server-${port}.log`);
  const log = openSync(logFile, "a");
  const startedAt = performance.now();
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...env, PORT: port },
    stdio: ["ignore", log, log],
  });
  endWithThisProcess(child);
  const exited = once(child, "exit");
  const stop = async () => {
    const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
    child.kill();
    await exited;
    clearTimeout(timer);
  };
  cleanUp.later(stop);
  const isReady = async () => {
    const reply = await fetch(url + probe.path, { headers: probe.headers ?? {} });
    await reply.arrayBuffer();
    return reply.status === 200;
  };
  while (!(await isReady().catch(() => false))) {
    if (child.exitCode !== null || performance.now() - startedAt > 20_000)
      throw new Error(`${args.at(-1)} does not reply.\n${readFileSync(logFile, "utf8")}`);
    await sleep(2);
  }
  const firstReplyMs = performance.now() - startedAt;
  return { url, firstReplyMs, usage: () => readUsage(child.pid), stop };
}

/** Of a process since its start; CPU time in steps of 10 ms. NaN where /proc does not exist. */
export function readUsage(pid: number | undefined) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may contain spaces and parentheses.
    const [user, system] = stat.slice(stat.lastIndexOf(")")).split(" ").slice(12).map(Number);
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const megabytes = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
    const cpuMs = (Number(user) + Number(system)) * 10;
    return { cpuMs, rssMb: megabytes("VmRSS"), peakRssMb: megabytes("VmHWM") };
  } catch {
    return { cpuMs: Number.NaN, rssMb: Number.NaN, peakRssMb: Number.NaN };
  }
}
