import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { routesFromFiles } from "../../lib/self-hosted/server/routes.js";
import { copyBuiltProject } from "../support/project-copy.js";
import { type ServerProcess, startServerProcess } from "../support/server-process.js";
import { putEmbeddedPostgres } from "../support/snapshots.js";

const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
const [, ...startArguments] = scripts["backend:start"].replace(/^exec /, "").split(" ");

const environment = { JWT_SECRET: "a-secret-of-the-tests-of-32-bytes-or-more" };

const paths = routesFromFiles(readdirSync("api", { recursive: true }).map((file) => `api/${file}`))
  .map(({ path }) => path.replaceAll(/\[.+?\]/g, "any"))
  .map((path) => (path === "/api" ? "/api/" : path));

describe("the built server", () => {
  const project = copyBuiltProject();
  let server: ServerProcess;
  beforeAll(async () => {
    putEmbeddedPostgres(join(project.root, ".local"));
    // The test sends two requests to each route from one address.
    const limits = { RATE_LIMIT_MAX_REQUESTS: "1000" };
    server = await startServerProcess(project.root, startArguments, { ...environment, ...limits });
  });
  afterAll(async () => {
    await server?.kill();
    project.remove();
  });

  it("serves every route twice within 200 MB of memory", async () => {
    for (let round = 0; round < 2; round++) {
      for (const path of paths) {
        const { status } = await fetch(server.url + path);
        expect([path, [200, 401, 404, 405, 422]]).toEqual([path, expect.arrayContaining([status])]);
      }
      await sleep(500);
    }
    expect(residentMegabytes(server.pid)).toBeLessThan(200);
  }, 120_000);

  it("answers GET /api/livez for an HTTP/1.0 client without a Host header", async () => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.write("GET /api/livez HTTP/1.0\r\n\r\n");
    expect(await text(socket)).toMatch(/^HTTP\/1\.[01] 200 OK\r\n/);
  });

  it("ends with status 0 at SIGTERM", async () => {
    expect(await server.stop()).toBe(0);
  });

  it("counts the requests of a session across all routes while Redis is unavailable", async () => {
    const max = 5;
    const limited = await startServerProcess(project.root, startArguments, {
      ...environment,
      REDIS_URL: "redis://127.0.0.1:1",
      RATE_LIMIT_MAX_REQUESTS: String(max),
      // The window must not end during the test.
      RATE_LIMIT_WINDOW_MS: String(10 * 365 * 86_400_000),
    });
    const created = await fetch(`${limited.url}/api/auth/guest`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    const { accessToken } = (await created.json()) as { accessToken: string };
    const statuses: number[] = [];
    while (statuses.length < max + 2) {
      for (const path of ["/api/user", "/api/user/preferences"]) {
        const headers = { authorization: `Bearer ${accessToken}` };
        statuses.push((await fetch(limited.url + path, { headers })).status);
      }
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(max);
    expect(statuses.filter((status) => status === 429)).toHaveLength(statuses.length - max);
    await limited.stop();
  }, 60_000);

  it.each(["backend:start", "dev:server"])(
    "stops when npm run %s receives SIGTERM",
    async (script) => {
      const npm = spawn("npm", ["run", "--silent", script], {
        cwd: project.root,
        env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: "0", ...environment },
      });
      const line = await startLine(npm.stdout);
      const url = `http://127.0.0.1:${/localhost:(\d+)/.exec(line)?.[1]}/api/livez`;
      expect((await fetch(url)).status).toBe(200);
      npm.kill("SIGTERM");
      await once(npm.stdout, "close");
      await expect(fetch(url)).rejects.toThrow();
    },
    60_000,
  );
});

async function startLine(output: Readable): Promise<string> {
  let printed = "";
  for await (const chunk of output.iterator({ destroyOnReturn: false })) {
    printed += chunk;
    if (/localhost:\d+/.test(printed)) return printed;
  }
  throw new Error(`No start line:\n${printed}`);
}

function residentMegabytes(pid: number): number {
  const kilobytes = execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" });
  return Number(kilobytes) / 1024;
}
