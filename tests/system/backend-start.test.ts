import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildOutput } from "../../dev/build/output.js";
import { buildSelfHosted } from "../../dev/build/self-hosted.js";
import { routesFromFiles } from "../../lib/platform/server/routes.js";
import { copyProject } from "../support/project-copy.js";
import { startServerProcess } from "../support/server-process.js";

const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
const [, ...startArguments] = scripts["backend:start"].replace(/^exec /, "").split(" ");

const environment = { JWT_SECRET: "a-secret-of-the-tests-of-32-bytes-or-more" };

const paths = routesFromFiles(readdirSync("api", { recursive: true }).map((file) => `api/${file}`))
  .map(({ path }) => path.replaceAll(/\[.+?\]/g, "any"))
  .map((path) => (path === "/api" ? "/api/" : path));

describe("the built server", () => {
  const project = copyProject();
  beforeAll(() => Promise.all([buildOutput(project.root), buildSelfHosted(project.root)]));
  afterAll(project.remove);

  it("answers every route, twice, within 200 MB of memory", async () => {
    const server = await startServerProcess(project.root, startArguments, environment);
    for (let round = 0; round < 2; round++) {
      for (const path of paths) {
        const { status } = await fetch(server.url + path);
        expect([path, [200, 401, 405]]).toEqual([path, expect.arrayContaining([status])]);
      }
      await sleep(500);
    }
    expect(residentMegabytes(server.pid)).toBeLessThan(200);
    expect(await server.stop()).toBe(0);
  }, 120_000);

  it.each(["backend:start", "dev:server"])(
    "ends when npm run %s is told to",
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
  let text = "";
  for await (const chunk of output.iterator({ destroyOnReturn: false })) {
    text += chunk;
    if (/localhost:\d+/.test(text)) return text;
  }
  throw new Error(`No start line:\n${text}`);
}

function residentMegabytes(pid: number): number {
  const kilobytes = execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" });
  return Number(kilobytes) / 1024;
}
