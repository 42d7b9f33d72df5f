import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildOutput } from "../../dev/build/output.js";
import { buildSelfHosted } from "../../dev/build/self-hosted.js";

const ping = `
  import { platform } from "../lib/platform/installed.js";
  const request = { path: [""], body: ["PING"] };
  export default { fetch: async () => Response.json(await platform().redis.request(request)) };`;
const shared = `
  import { loads } from "../lib/shared.js";
  export default { fetch: () => Response.json(loads()) };`;
const files = {
  "api/index.ts": `export default { fetch: () => Response.json({ status: "ok" }) };`,
  "api/cron/beat.ts": `
    export default { fetch: async (request) => {
      globalThis.beats = [...(globalThis.beats ?? []), request.headers.get("authorization")];
      return new Response();
    } };`,
  "api/shared-1.ts": shared,
  "api/shared-2.ts": shared,
  "lib/shared.ts": `
    globalThis.loads = (globalThis.loads ?? 0) + 1;
    export const loads = () => globalThis.loads;`,
  "api/beats.ts": `export default { fetch: () => Response.json(globalThis.beats ?? []) };`,
  "api/ping-1.ts": ping,
  "api/ping-2.ts": ping,
  "api/ping-3.ts": ping,
  "drizzle/0001_first.sql": "select 1;",
  ".env": "LOG_LEVEL=notice\nJWT_SECRET=stands-in-the-file-and-is-long-enough",
  "package.json": `{ "type": "module" }`,
  "public/robots.txt": "User-agent: *",
  "vercel.json": `{ "crons": [{ "path": "/api/cron/beat", "schedule": "* * * * * *" }] }`,
};

describe("the self-hosted server", () => {
  const root = mkdtempSync(join(tmpdir(), "self-hosted-"));
  const running: ChildProcess[] = [];
  let redis: Server;
  let redisConnections = 0;
  let stores: Record<string, string>;

  const run = (environment: Record<string, string>) => {
    const child = spawn(process.execPath, ["lib/self-hosted/start.mjs"], {
      cwd: root,
      env: { PATH: process.env.PATH, ...environment },
    });
    running.push(child);
    let output = "";
    child.stdout.on("data", (text) => {
      output += text;
    });
    child.stderr.on("data", (text) => {
      output += text;
    });
    const exited = new Promise<number | null>((settle) => child.once("close", settle));
    return { child, exited, output: () => output };
  };
  const start = async (environment: Record<string, string>) => {
    const server = run(environment);
    await expect.poll(server.output, { timeout: 10_000 }).toMatch(/http:\/\/localhost:\d+/);
    const port = /http:\/\/localhost:(\d+)/.exec(server.output())?.[1];
    return { ...server, url: `http://127.0.0.1:${port}` };
  };

  beforeAll(async () => {
    cpSync("lib", join(root, "lib"), { recursive: true });
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    symlinkSync(resolve("node_modules"), join(root, "node_modules"));
    redis = createServer((socket) => {
      redisConnections += 1;
      socket.on("error", () => {});
      socket.on("data", (bytes) => {
        const commands = String(bytes).match(/\*\d+\r\n/g) ?? [];
        socket.write("+OK\r\n".repeat(commands.length));
      });
    });
    await new Promise<void>((settle) => redis.listen(0, "127.0.0.1", settle));
    const address = redis.address() as { port: number };
    stores = {
      DATABASE_URL: "postgresql://app:secret@127.0.0.1:1/app",
      REDIS_URL: `redis://127.0.0.1:${address.port}`,
    };
  });
  afterEach(() => {
    for (const child of running.splice(0)) child.kill("SIGKILL");
  });
  afterAll(() => {
    redis.close();
    rmSync(root, { recursive: true, force: true });
  });

  it("exits with a message without a build", async () => {
    const { exited, output } = run(stores);
    expect(await exited).toBe(1);
    expect(output()).toBe("No build found. Run `npm run backend:build` first.\n");
  });

  describe("after the build", () => {
    beforeAll(async () => {
      await Promise.all([buildOutput(root), buildSelfHosted(root)]);
    });

    it("prints its functions and stores, and serves only functions and public files", async () => {
      // This Redis cannot count: a limit would refuse every call.
      const trusted = { RATE_LIMIT_TRUSTED_IPS: "127.0.0.1,::1" };
      const { url, output } = await start({ ...stores, ...trusted, PORT: "0" });
      expect(output()).toContain("Serving 8 functions");
      expect(output()).toContain("PostgreSQL at 127.0.0.1:1 and Redis at 127.0.0.1:");
      expect(output()).not.toContain("secret");
      expect(await (await fetch(`${url}/api/`)).json()).toEqual({ status: "ok" });
      expect(await (await fetch(`${url}/robots.txt`)).text()).toBe("User-agent: *");
      const hidden = ["/lib/env.ts", "/drizzle/0001_first.sql", "/.env", "/package.json"];
      const built = [
        "/functions/api/index.func/index.mjs",
        "/config.json",
        "/.vercel/output/config.json",
      ];
      for (const path of [...hidden, ...built]) {
        expect([path, (await fetch(url + path)).status]).toEqual([path, 404]);
      }
    });

    it("loads a module shared by several functions once", async () => {
      const { url } = await start({ ...stores, PORT: "0" });
      for (const name of ["shared-1", "shared-2", "shared-1"]) {
        expect(await (await fetch(`${url}/api/${name}`)).json()).toBe(1);
      }
    });

    it("shares store connections between all functions", async () => {
      redisConnections = 0;
      const { url } = await start({ ...stores, PORT: "0" });
      for (const name of ["ping-1", "ping-2", "ping-3", "ping-1"]) {
        expect(await (await fetch(`${url}/api/${name}`)).json()).toEqual({ result: "OK" });
      }
      expect(redisConnections).toBe(1);
    });

    it("runs the crons, with CRON_SECRET or a generated secret", async () => {
      const beats = async (environment: Record<string, string>) => {
        const { url } = await start({ ...stores, PORT: "0", ...environment });
        const read = async () => (await fetch(`${url}/api/beats`)).json() as Promise<string[]>;
        await expect
          .poll(async () => (await read()).length, { timeout: 10_000 })
          .toBeGreaterThan(0);
        return (await read())[0];
      };
      expect(await beats({ CRON_SECRET: "stated" })).toBe("Bearer stated");
      expect(await beats({})).toMatch(/^Bearer [\w-]{43}$/);
    });

    it("exits with code 0 after SIGTERM", async () => {
      const { child, exited } = await start({ ...stores, PORT: "0" });
      child.kill("SIGTERM");
      expect(await exited).toBe(0);
    });

    it("explains what to do when the port is in use", async () => {
      const { url } = await start({ ...stores, PORT: "0" });
      const { port } = new URL(url);
      const second = run({ ...stores, PORT: port });
      expect(await second.exited).toBe(1);
      expect(second.output()).toContain(`Error: EADDRINUSE: address already in use :::${port}`);
      expect(second.output()).toContain(`lsof -ti tcp:${port} -sTCP:LISTEN | xargs kill`);
      expect(second.output()).toContain("PORT in .env");
    });

    it("says in one line that a parameter of REDIS_URL is not supported", async () => {
      const { exited, output } = run({ REDIS_URL: "redis://:hunter2@127.0.0.1:1?sentinels=a" });
      expect(await exited).toBe(1);
      expect(output()).toBe(
        "Error: Invalid environment: REDIS_URL: must have no parameters except family=4 or family=6\n",
      );
    });

    it("names in one line the variables missing in production", async () => {
      const { exited, output } = run({
        NODE_ENV: "production",
        JWT_SECRET: "k7".repeat(32),
        DATA_KEY: "d7".repeat(32),
        RESEND_API_KEY: "re_some",
      });
      expect(await exited).toBe(1);
      expect(output()).toMatch(
        /^Error: DATABASE_URL and REDIS_URL .* required in production .*\n$/,
      );
    });
  });
});
