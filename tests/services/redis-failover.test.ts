import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { type CutProxy, startCutProxy } from "../support/cut-proxy.js";
import { useRedisServer } from "../support/redis-server.js";
import { builtServer, type ServerProcess, startServerProcess } from "../support/server-process.js";
import { useTwoProcesses } from "../support/two-processes.js";

const [first, second] = [useRedisServer(), useRedisServer()];
/** The fixed address: new connections go to the primary. */
let proxy: CutProxy;
beforeAll(async () => {
  await replicate(second, first.url);
  proxy = await startCutProxy(first.url);
});
afterAll(() => proxy.close());

const processes = useTwoProcesses({ redisUrl: () => first.url });
let server: ServerProcess;
beforeAll(async () => {
  const environment = { ...processes.environment, REDIS_URL: proxy.url };
  server = await startServerProcess(inject("builtProject"), builtServer, environment);
  processes.servers = [server];
});
afterAll(() => server.stop());

type Redis = ReturnType<typeof useRedisServer>;

async function replicate(replica: Redis, primary: string): Promise<void> {
  const { hostname, port } = new URL(primary);
  await replica.command("REPLICAOF", hostname, port);
  const linked = async () => {
    const state = String(await replica.command("INFO", "replication"));
    if (!state.includes("master_link_status:up")) throw new Error("The replica is not linked.");
  };
  await vi.waitFor(linked, { timeout: 20_000, interval: 100 });
}

async function redisHealth(): Promise<{ status: string; output?: string }> {
  const response = await fetch(`${server.url}/api/health`);
  const { checks } = (await response.json()) as {
    checks: Record<string, { status: string; output?: string }[]>;
  };
  return checks["redis:responseTime"]?.[0] ?? { status: "none" };
}

describe("a Redis failover behind a fixed address", () => {
  it("reconnects to the new primary after the first refused write, and keeps logged-out users out", async () => {
    const [leaving, staying] = [await processes.aLearner(), await processes.aLearner()];
    await second.command("REPLICAOF", "NO", "ONE");
    proxy.redirect(second.url);
    await replicate(first, second.url);
    expect((await processes.logOut(0, leaving)).status).toBe(204);
    expect((await processes.read(0, leaving)).status).toBe(401);
    expect((await processes.read(0, staying)).status).toBe(200);
    const key = () => second.command("EXISTS", `session:${leaving.sessionId}`);
    await expect.poll(key, { timeout: 5000, interval: 100 }).toBe(0);
    await expect
      .poll(async () => (await redisHealth()).status, { timeout: 10_000, interval: 500 })
      .toBe("pass");
    expect((await processes.read(0, leaving)).status).toBe(401);
  }, 60_000);
});
