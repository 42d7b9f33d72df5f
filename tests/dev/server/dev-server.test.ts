import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { copyProject } from "../../support/project-copy.js";
import { devServer } from "../../support/server-process.js";

const project = copyProject();
afterAll(() => project.remove());

/** Start dev:server, expecting it to fail. */
async function failedStart(environment: Record<string, string>, ...args: string[]) {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...environment };
  const started = promisify(execFile)(process.execPath, [...devServer, ...args], {
    cwd: project.root,
    env,
  });
  return started.then(
    () => ({ code: 0, stdout: "", stderr: "" }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
      code,
      stdout,
      stderr,
    }),
  );
}

const named = {
  DATABASE_URL: "postgresql://me:hidden@db.example.com/app",
  UPSTASH_REDIS_REST_URL: "https://redis.example.com",
  UPSTASH_REDIS_REST_TOKEN: "hidden",
};

describe("dev:server", () => {
  it("creates .env from .env.example, and names the missing variable in one line", async () => {
    const { code, stdout, stderr } = await failedStart({ JWT_SECRET: "" });

    expect(code).toBe(1);
    expect(stdout).toContain("Made .env from .env.example.");
    expect(existsSync(join(project.root, ".env"))).toBe(true);
    expect(stderr).toBe("Error: JWT_SECRET is required\n");
  });

  it("rejects --fresh when the environment names other stores", async () => {
    const { code, stderr } = await failedStart(named, "--fresh");

    expect(code).toBe(1);
    expect(stderr).toBe(
      "Error: --fresh empties the embedded stores, and the environment names others.\n",
    );
  });

  it("rejects REDIS_URL together with UPSTASH_REDIS_REST_URL", async () => {
    const { code, stderr } = await failedStart({ ...named, REDIS_URL: "redis://127.0.0.1:1" });

    expect(code).toBe(1);
    expect(stderr).toMatch(/^Error: REDIS_URL and UPSTASH_REDIS_REST_URL are both set[^\n]*\n$/);
  });

  it("explains what to do when its port is in use", async () => {
    const occupied = createServer();
    await new Promise<void>((done) => {
      occupied.listen(0, done);
    });
    const { port } = occupied.address() as { port: number };

    const { code, stderr } = await failedStart(named, "--port", String(port));

    expect(code).toBe(1);
    expect(stderr).toContain(`Error: EADDRINUSE: address already in use :::${port}\n`);
    expect(stderr).toContain(`lsof -ti tcp:${port} -sTCP:LISTEN | xargs kill`);
    occupied.close();
  });
});
