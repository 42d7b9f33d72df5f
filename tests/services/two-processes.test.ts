import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { buildOutput } from "../../dev/build/output.js";
import { buildSelfHosted } from "../../dev/build/self-hosted.js";
import { openRealRedis } from "../../dev/stores/real-redis.js";
import type { TokenPair } from "../../lib/auth/token-pair.js";
import type { RedisBackend } from "../../lib/platform/redis-transport/upstash-protocol.js";
import { copyProject } from "../support/project-copy.js";
import { claimRedis, createDatabase, workerRedisUrl } from "../support/real-stores.js";
import { builtServer, type ServerProcess, startServerProcess } from "../support/server-process.js";

const limit = 10;

describe("two processes over the same stores", () => {
  const project = copyProject();
  let servers: ServerProcess[] = [];
  let environment: Record<string, string>;
  let redis: RedisBackend;
  let database: Awaited<ReturnType<typeof createDatabase>>;

  beforeAll(async () => {
    await Promise.all([buildOutput(project.root), buildSelfHosted(project.root)]);
    database = await createDatabase(inject("migrated"));
    redis = await openRealRedis(workerRedisUrl());
    await claimRedis(redis);
    environment = {
      DATABASE_URL: database.url,
      REDIS_URL: workerRedisUrl(),
      JWT_SECRET: "a-secret-of-the-tests-of-32-bytes-or-more",
      RATE_LIMIT_MAX_REQUESTS: String(limit),
      // No window may end in the midst of a test.
      RATE_LIMIT_WINDOW_MS: String(24 * 3_600_000),
    };
    servers = await Promise.all([start(), start()]);
  });
  afterAll(async () => {
    for (const server of servers) await server.stop();
    await redis.call(["FLUSHDB"]);
    await redis.close();
    await database.drop();
    project.remove();
  });

  const start = () => startServerProcess(project.root, builtServer, environment);
  const at = (turn: number) => servers[turn % servers.length]?.url ?? "";

  async function aLearner(): Promise<TokenPair> {
    const response = await post(`${at(0)}/api/auth/register`, {
      email: `learner-${crypto.randomUUID()}@example.com`,
      password: "correct horse battery",
      name: "Ada",
      acceptedTerms: true,
    });
    expect(response.status).toBe(201);
    return (await response.json()) as TokenPair;
  }
  const read = (turn: number, { accessToken }: TokenPair) =>
    fetch(`${at(turn)}/api/user`, { headers: bearer(accessToken) });
  const statuses = async (replies: Promise<Response>[]) =>
    (await Promise.all(replies)).map(({ status }) => status);

  it("let exactly the limit pass of 100 parallel requests", async () => {
    const learner = await aLearner();
    const seen = await statuses(Array.from({ length: 100 }, (_, turn) => read(turn, learner)));
    expect(seen.filter((status) => status === 200)).toHaveLength(limit);
    expect(seen.filter((status) => status === 429)).toHaveLength(100 - limit);
  });

  it("let exactly five of 60 parallel wrong passwords reach a hash", async () => {
    const { user } = await aLearner();
    const guess = (turn: number) =>
      post(`${at(turn)}/api/auth/login`, { email: user.email, password: "not the password" });
    const seen = await statuses(Array.from({ length: 60 }, (_, turn) => guess(turn)));
    expect(seen.filter((status) => status === 401)).toHaveLength(5);
    expect(seen.filter((status) => status === 429)).toHaveLength(55);
    await redis.call(["DEL", ...((await redis.call(["KEYS", "rate:auth-*"])) as string[])]);
  });

  it("lift a limit when its key is deleted", async () => {
    const learner = await aLearner();
    await statuses(Array.from({ length: limit }, (_, turn) => read(turn, learner)));
    expect((await read(0, learner)).status).toBe(429);
    const keys = (await redis.call(["KEYS", `rate:*${learner.sessionId}*`])) as string[];
    expect(keys).toHaveLength(1);
    await redis.call(["DEL", ...keys]);
    expect((await read(1, learner)).status).toBe(200);
  });

  it("end a session together, by sign-out or by hand", async () => {
    const [first, second] = [await aLearner(), await aLearner()];
    expect((await read(1, first)).status).toBe(200);
    const out = { method: "POST", headers: bearer(first.accessToken) };
    expect((await fetch(`${at(0)}/api/auth/logout`, out)).status).toBe(204);
    expect((await read(1, first)).status).toBe(401);
    await redis.call(["DEL", `session:${second.sessionId}`]);
    expect(await statuses([read(0, second), read(1, second)])).toEqual([401, 401]);
  });

  it("sign nobody out when Redis is flushed under load", async () => {
    const learners = await Promise.all(Array.from({ length: 8 }, aLearner));
    const requests = learners.flatMap((learner) =>
      Array.from({ length: limit }, (_, turn) => ({ learner, turn })),
    );
    const before = requests.slice(0, 20).map(({ learner, turn }) => read(turn, learner));
    await redis.call(["FLUSHDB"]);
    const after = requests.slice(20).map(({ learner, turn }) => read(turn, learner));
    expect(new Set(await statuses([...before, ...after]))).toEqual(new Set([200]));
    await expect.poll(() => redis.call(["EXISTS", "gate"])).toBe(1);
    await redis.call(["DEL", ...((await redis.call(["KEYS", "rate:*"])) as string[])]);
    const again = learners.flatMap((learner) => [0, 1, 2, 3].map((turn) => read(turn, learner)));
    expect(new Set(await statuses(again))).toEqual(new Set([200]));
  });

  it("lose no session and no count when one is killed", async () => {
    const learner = await aLearner();
    await statuses(Array.from({ length: 4 }, (_, turn) => read(turn, learner)));
    await servers[0]?.kill();
    servers[0] = await start();
    const seen = await statuses(Array.from({ length: 20 }, (_, turn) => read(turn, learner)));
    expect(seen.filter((status) => status === 200)).toHaveLength(limit - 4);
  });
});

function post(url: string, body: unknown): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}
