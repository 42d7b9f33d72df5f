import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { copyBuiltProject } from "../support/project-copy.js";
import {
  builtServer,
  devServer,
  type ServerProcess,
  startServerProcess,
} from "../support/server-process.js";

const run = promisify(execFile);

/** The curl commands of the README, as pasted into one shell. */
function readmeWalk(url: string): string {
  const blocks = readFileSync("README.md", "utf8").match(/```bash\n[^`]*```/g) ?? [];
  const walk = blocks.filter((block) => block.includes("curl"));
  return walk
    .map((block) => block.slice("```bash".length, -3).replaceAll("http://localhost:8080", url))
    .join("\n");
}

async function walk(url: string): Promise<string> {
  return (await run("bash", ["-c", readmeWalk(url)])).stdout;
}

function expectWalk(output: string): void {
  expect(output).toContain('"message":"Language Learning API is running"');
  expect(output).toContain('"email":"ada@example.com"');
  expect(output).toContain("\n204\n");
  expect(output.trim()).toMatch(/"code":"session_revoked".*\}$/);
}

describe("the README walk-through", () => {
  const project = copyBuiltProject();
  const servers: ServerProcess[] = [];
  const start = async (...args: Parameters<typeof startServerProcess>) => {
    const server = await startServerProcess(...args);
    servers.push(server);
    return server;
  };
  afterAll(async () => {
    for (const server of servers) await server.stop();
    project.remove();
  });

  it("works twice on dev:server, and its data survives a kill -9", async () => {
    const first = await start(project.root, devServer);
    expectWalk(await walk(first.url));
    expectWalk(await walk(first.url));
    const login = await signIn(first.url);
    await first.kill();
    const second = await start(project.root, devServer);
    expect((await read(second.url, login.accessToken)).status).toBe(200);
    expect(second.output()).toMatch(/Mail +http:\/\/localhost:\d+\/mailbox\n/);
    const mailbox = await fetch(`${second.url}/mailbox`);
    expect(mailbox.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(await mailbox.text()).toContain("There is no mail yet.");
    expect(await second.stop()).toBe(0);
  }, 120_000);

  it("works on the built server", async () => {
    const server = await start(project.root, builtServer);
    expectWalk(await walk(server.url));
    expect(await server.stop()).toBe(0);
  }, 120_000);
});

async function signIn(url: string): Promise<{ accessToken: string }> {
  const response = await fetch(`${url}/api/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "learner@example.com", password: "learn-a-language" }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as { accessToken: string };
}

function read(url: string, token: string): Promise<Response> {
  return fetch(`${url}/api/user`, { headers: { authorization: `Bearer ${token}` } });
}
