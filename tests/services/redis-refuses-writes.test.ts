import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from "vitest";
import { type CutProxy, startCutProxy } from "../support/cut-proxy.js";
import { breakGlassToken } from "../support/operators.js";
import { ops } from "../support/ops-command.js";
import { useRedisServer } from "../support/redis-server.js";
import { builtServer, type ServerProcess, startServerProcess } from "../support/server-process.js";
import { post, useTwoProcesses } from "../support/two-processes.js";

const redis = useRedisServer();
const processes = useTwoProcesses({
  redisUrl: () => redis.url,
  environment: { OPS_TOKEN: breakGlassToken },
});
const { aLearner, read, logOut } = processes;

/** A third server, the only one that reaches Redis through this proxy. */
let proxy: CutProxy;
let distant: ServerProcess;
beforeAll(async () => {
  proxy = await startCutProxy(redis.url);
  const environment = { ...processes.environment, REDIS_URL: proxy.url };
  distant = await startServerProcess(inject("builtProject"), builtServer, environment);
  // Loads the functions first, so that only Redis is slow in a test.
  for (const url of [processes.at(0), processes.at(1), distant.url]) {
    expect((await operate(url, "revocations", { session: "none" })).status).toBe(404);
    expect((await block(url, randomUUID())).status).toBe(404);
  }
});
afterEach(async () => {
  proxy.restore();
  proxy.slow(0);
  await acceptWrites();
});
afterAll(async () => {
  await distant.stop();
  await proxy.close();
});

const refuseWrites = () => redis.command("CONFIG", "SET", "min-replicas-to-write", "1");
const acceptWrites = () => redis.command("CONFIG", "SET", "min-replicas-to-write", "0");
const withinFiveSeconds = { timeout: 5000, interval: 100 };

function operate(url: string, path: string, body: object): Promise<Response> {
  const headers = { authorization: `Bearer ${breakGlassToken}` };
  return post(`${url}/api/ops/${path}`, { reason: "a test", ...body }, headers);
}
const block = (url: string, userId: string) =>
  operate(url, "blocks", { kind: "user", value: userId, ttlSeconds: 3600 });
const isInForce = async (answer: Promise<Response>) =>
  ((await (await answer).json()) as { inForce: boolean }).inForce;
const readAt = (url: string, { accessToken }: { accessToken: string }) =>
  fetch(`${url}/api/user`, { headers: { authorization: `Bearer ${accessToken}` } });
const logOutAt = (url: string, { accessToken }: { accessToken: string }) =>
  post(`${url}/api/auth/logout`, {}, { authorization: `Bearer ${accessToken}` });
const statusAt = async (turn: number, person: { accessToken: string }) =>
  (await read(turn, person)).status;
const redisReply = (...command: string[]) => redis.command(...command);

describe("a Redis that serves reads and refuses writes", () => {
  it("restores no logged-out session on any server, during and after the refusal", async () => {
    const [person, other] = [await aLearner(), await aLearner()];
    await refuseWrites();
    expect((await logOut(0, person)).status).toBe(204);
    for (const turn of [0, 1]) {
      expect(await statusAt(turn, person)).toBe(401);
      expect(await statusAt(turn, other)).toBe(200);
    }
    await acceptWrites();
    for (const turn of [0, 1]) expect(await statusAt(turn, person)).toBe(401);
    await expect
      .poll(() => redisReply("EXISTS", `session:${person.sessionId}`), withinFiveSeconds)
      .toBe(0);
    for (const turn of [0, 1]) expect(await statusAt(turn, other)).toBe(200);
  });

  it("keeps a blocked user out, and the ops command reports that the block is not yet in force", async () => {
    const person = await aLearner();
    await refuseWrites();
    const line = [
      "block",
      "user",
      person.userId,
      "--ttl",
      "1h",
      "--reason",
      "a drill",
      "--break-glass",
    ];
    const env = { OPS_TOKEN: breakGlassToken };
    const first = await ops([...line, "--url", processes.at(0)], { env });
    expect(first.status).toBe(1);
    expect(first.out).toMatch(/^Blocked user:.*\nRecorded, not active yet: /);
    for (const turn of [0, 1]) {
      await expect.poll(() => statusAt(turn, person), withinFiveSeconds).toBe(403);
    }
    await acceptWrites();
    await expect
      .poll(() => redisReply("SISMEMBER", "blocks", `user:${person.userId}`), withinFiveSeconds)
      .toBe(1);
    for (const turn of [0, 1]) expect(await statusAt(turn, person)).toBe(403);
    const again = await ops([...line, "--url", processes.at(0)], { env });
    expect(again.status).toBe(0);
    expect(again.out).toMatch(/^Already blocked user:/);
  }, 60_000);

  it("revokes all sessions on both servers", async () => {
    const person = await aLearner();
    await refuseWrites();
    expect(await isInForce(operate(processes.at(0), "revocations", { everybody: true }))).toBe(
      false,
    );
    for (const turn of [0, 1]) expect(await statusAt(turn, person)).toBe(401);
    await acceptWrites();
    const revokedBefore = async () => Number(await redisReply("HGET", "gate", "revokeAllBefore"));
    await expect.poll(revokedBefore, withinFiveSeconds).toBeGreaterThan(0);
    for (const turn of [0, 1]) expect(await statusAt(turn, person)).toBe(401);
  });
});

describe("servers restarted while Redis refused writes", () => {
  it("restore no logged-out session", async () => {
    const [person, other] = [await aLearner(), await aLearner()];
    const started = await processes.start();
    expect((await readAt(started.url, person)).status).toBe(200);
    await refuseWrites();
    expect((await logOutAt(started.url, person)).status).toBe(204);
    // The only server that knows of the logout: the others have had no request since.
    await started.kill();
    await acceptWrites();
    const next = await processes.start();
    expect((await readAt(next.url, other)).status).toBe(200);
    expect((await readAt(next.url, person)).status).toBe(401);
    const isHeld = () => redisReply("EXISTS", `session:${person.sessionId}`);
    await expect.poll(isHeld, withinFiveSeconds).toBe(0);
    expect((await readAt(next.url, person)).status).toBe(401);
  });
});

describe("one server with a slow or lost connection to Redis", () => {
  it("applies a block and a logout on all servers by the next request, with 300 ms of latency", async () => {
    const [blocked, leaving] = [await aLearner(), await aLearner()];
    proxy.slow(150);
    expect(await isInForce(block(distant.url, blocked.userId))).toBe(true);
    expect(await statusAt(1, blocked)).toBe(403);
    const headers = { authorization: `Bearer ${leaving.accessToken}` };
    expect((await post(`${distant.url}/api/auth/logout`, {}, headers)).status).toBe(204);
    expect(await statusAt(1, leaving)).toBe(401);
  });

  it("applies a block on all servers within 5 s after the connection returns", async () => {
    const person = await aLearner();
    proxy.cut();
    expect(await isInForce(block(distant.url, person.userId))).toBe(false);
    expect(await statusAt(1, person)).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    proxy.restore();
    await expect.poll(() => statusAt(1, person), withinFiveSeconds).toBe(403);
  });
});
