import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import http from "node:http";
import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { type ProcessUsage, readUsage } from "./process-usage.js";

/** A server in a process of its own. */
export interface ServedProcess {
  url: string;
  /** From the start of the process to its first good reply. */
  firstReplyMs: number;
  usage(): ProcessUsage | undefined;
  stop(): Promise<void>;
}

export interface ServerCommand {
  /** Options for Node.js itself. */
  flags: string[];
  program: string;
  folder: string;
  /** All of its environment but PORT, so that nothing of ours changes the run. */
  env: Record<string, string>;
  /** Where its output goes: a terminal would slow it down. */
  logFile: string;
  /** What it is asked until it replies well. */
  probe: { path: string; headers?: Record<string, string> };
}

const patienceMs = 20_000;

/** Start a server and wait for its first good reply. Rejects with the end of its log when none comes. */
export async function serve(command: ServerCommand): Promise<ServedProcess> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const log = openSync(command.logFile, "a");
  const startedAt = performance.now();
  const child = spawn(process.execPath, [...command.flags, command.program], {
    cwd: command.folder,
    env: { ...command.env, PORT: String(port) },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const kill = () => child.kill("SIGKILL");
  // A run that ends in the midst of starting leaves no server behind.
  process.once("exit", kill);
  const exited = once(child, "exit");
  const stop = async () => {
    const killer = setTimeout(kill, 5000);
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await exited;
    clearTimeout(killer);
    process.off("exit", kill);
  };
  while (!(await answersWell(url + command.probe.path, command.probe.headers))) {
    if (child.exitCode !== null || performance.now() - startedAt > patienceMs) {
      await stop();
      const tail = readFileSync(command.logFile, "utf8").slice(-2000);
      throw new Error(`${command.program} does not answer.\n${tail}`);
    }
    await sleep(2);
  }
  return {
    url,
    firstReplyMs: performance.now() - startedAt,
    usage: () => (child.pid === undefined ? undefined : readUsage(child.pid)),
    stop,
  };
}

function answersWell(url: string, headers: Record<string, string> = {}): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get(url, { headers, agent: false }, (response) => {
      response.resume();
      response.once("close", () => resolve(response.statusCode === 200));
    });
    request.once("error", () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
