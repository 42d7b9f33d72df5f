import { spawn } from "node:child_process";
import process from "node:process";

export interface ServerProcess {
  url: string;
  pid: number;
  output(): string;
  /** Send SIGTERM, and resolve with the exit status. */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
}

/** Start a server script in `root`, and resolve when it has printed its URL. */
export async function startServerProcess(
  root: string,
  script: string[],
  environment: Record<string, string> = {},
): Promise<ServerProcess> {
  const child = spawn(process.execPath, script, {
    cwd: root,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: "0", ...environment },
  });
  let output = "";
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  const url = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`No start line in 60 s:\n${output}`)), 60_000);
    const read = (text: Buffer) => {
      output += text;
      const port = /http:\/\/localhost:(\d+)/.exec(output)?.[1];
      if (!port) return;
      clearTimeout(timer);
      resolve(`http://127.0.0.1:${port}`);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    void exited.then((code) => reject(new Error(`Exited with ${code}:\n${output}`)));
  });
  return {
    url,
    pid: child.pid ?? 0,
    output: () => output,
    stop() {
      child.kill("SIGTERM");
      return exited;
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

export const devServer = ["dev/run.mjs", "server"];
export const builtServer = ["lib/self-hosted/start.mjs"];
