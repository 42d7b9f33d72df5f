import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll } from "vitest";
import { freePort } from "../../dev/free-port.js";
import { openRealRedis } from "../../dev/stores/real-redis.js";

export interface RedisServer {
  readonly url: string;
  command(...command: string[]): Promise<unknown>;
  /** Start it, empty or from the copy. Does nothing while it is running. */
  start(from?: "copy"): Promise<void>;
  kill(): Promise<void>;
  /** Save the copy. */
  save(): Promise<void>;
  /** Suspend its process: connections stay open, but get no reply. */
  pause(): void;
  resume(): void;
}

/** Start a Redis server for this test file, which the tests may pause and kill. */
export function useRedisServer(): RedisServer {
  let directory = "";
  let port = 0;
  let child: ChildProcess | undefined;
  const inDirectory = (name: string) => path.join(directory, name);

  const server: RedisServer = {
    get url() {
      return `redis://127.0.0.1:${port}`;
    },
    async command(...command) {
      const connection = await openRealRedis(server.url);
      try {
        return await connection.call(command);
      } finally {
        await connection.close();
      }
    },
    async start(from) {
      if (child) return;
      rmSync(inDirectory("dump.rdb"), { force: true });
      if (from) copyFileSync(inDirectory("copy.rdb"), inDirectory("dump.rdb"));
      const settings = ["--port", String(port), "--dir", directory, "--save", ""];
      child = spawn("redis-server", settings, { stdio: "ignore" });
      for (let attempt = 0; attempt < 200; attempt++) {
        if ((await server.command("PING").catch(String)) === "PONG") return;
        await sleep(50);
      }
      throw new Error("The Redis server of this test did not start.");
    },
    async kill() {
      if (!child) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
      child = undefined;
    },
    async save() {
      await server.command("SAVE");
      copyFileSync(inDirectory("dump.rdb"), inDirectory("copy.rdb"));
    },
    pause: () => void child?.kill("SIGSTOP"),
    resume: () => void child?.kill("SIGCONT"),
  };
  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "linguamate-redis-"));
    port = await freePort();
    await server.start();
  });
  afterAll(async () => {
    await server.kill();
    rmSync(directory, { recursive: true, force: true });
  });
  return server;
}
