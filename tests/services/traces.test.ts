import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type SentryEndpoint, startSentryEndpoint } from "../../dev/sentry-endpoint.js";
import { newSessionId } from "../../lib/auth/session/session.js";
import { issueAccessToken } from "../../lib/auth/token/access-token.js";
import { env } from "../../lib/env.js";
import type { RedisBackend } from "../../lib/platform/redis-transport/upstash-protocol.js";
import { isInSample } from "../../lib/trace.js";
import { useEnvironment } from "../support/environment.js";
import type { Batch, Setting } from "../support/frozen-function.js";
import { createDatabase, openWorkerRedis, workerRedisUrl } from "../support/real-stores.js";
import { useToolkit } from "../support/toolkit.js";
import { useTwoProcesses } from "../support/two-processes.js";

const rate = 0.2;
/** Fixed, so that every run has the same sample. */
const traceIds = Array.from({ length: 2000 }, (_, n) =>
  ((BigInt(n + 1) * 0x9e3779b97f4a7c15f39cc0605cedc835n) % (1n << 128n))
    .toString(16)
    .padStart(32, "0"),
);
const batchSize = 200;

describe("a function frozen as soon as its work has settled", () => {
  useEnvironment();
  const toolkit = useToolkit();
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let endpoint: SentryEndpoint;
  let child: ChildProcess;
  let redis: RedisBackend;
  const person = { userId: randomUUID(), sessionId: newSessionId() };

  beforeAll(async () => {
    database = await createDatabase(inject("migrated"));
    redis = await openWorkerRedis();
    endpoint = await startSentryEndpoint("a1b2c3d4e5f6");
    await record(database.url, person);
    child = fork("tests/support/frozen-function.ts", { execArgv: ["--import", "tsx"] });
    const setting: Setting = {
      environment: { SENTRY_DSN: endpoint.dsn, SENTRY_TRACES_SAMPLE_RATE: String(rate) },
      databaseUrl: database.url,
      redisUrl: workerRedisUrl(),
      toolkitUrl: toolkit.url,
    };
    child.send(setting);
  });
  afterAll(async () => {
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
    await redis.close();
    await endpoint.close();
    await database.drop();
  });

  it("has sent Sentry exactly the sampled ones of 2,000 traces, with spans and user ID", async () => {
    const { userId, sessionId } = person;
    const now = new Date();
    const claims = { userId, sessionId, authenticatedAt: now, authMethods: ["pwd"] };
    const token = await issueAccessToken(env(), claims, now);
    for (let from = 0; from < traceIds.length; from += batchSize) {
      const ids = traceIds.slice(from, from + batchSize);
      const batch: Batch = { token, traces: ids.map((id) => `${id}-00f067aa0ba902b7`) };
      child.send(batch);
      await expect.poll(() => isStopped(child), { timeout: 30_000, interval: 10 }).toBe(true);
      // A transaction that the process has not sent by now would never be sent.
      const received = endpoint
        .payloads("transaction")
        .map(({ contexts }) => contexts.trace.trace_id);
      const sampled = traceIds.slice(0, from + batchSize).filter((id) => isInSample(id, rate));
      expect(received.sort()).toEqual(sampled.sort());
      child.kill("SIGCONT");
    }

    const transactions = endpoint.payloads("transaction");
    expect(transactions.length).toBeGreaterThan(340);
    expect(transactions.length).toBeLessThan(460);
    for (const { transaction, user, spans, contexts } of transactions) {
      expect(transaction).toBe("/api/account");
      expect(user).toEqual({ id: person.userId });
      const ops = new Set(spans.map(({ op }: { op: string }) => op));
      expect(ops).toEqual(new Set(["db", "db.redis", "http.client"]));
      expect(contexts.trace.parent_span_id).toBe("00f067aa0ba902b7");
    }
    expect(toolkit.requests).toHaveLength(traceIds.length);
  }, 60_000);
});

describe("two built servers", () => {
  const environment: Record<string, string> = { SENTRY_TRACES_SAMPLE_RATE: "1" };
  let endpoint: SentryEndpoint;
  beforeAll(async () => {
    endpoint = await startSentryEndpoint("a1b2c3d4e5f6");
    environment.SENTRY_DSN = endpoint.dsn;
  });
  const { aLearner, at, read } = useTwoProcesses({ environment });
  afterAll(() => endpoint.close());

  it("load Sentry from a chunk, and both send their transaction of one trace", async () => {
    const learner = await aLearner();
    const traceId = randomUUID().replaceAll("-", "");
    const headers = {
      authorization: `Bearer ${learner.accessToken}`,
      "sentry-trace": `${traceId}-00f067aa0ba902b7`,
    };
    for (const turn of [0, 1]) {
      expect((await fetch(`${at(turn)}/api/user`, { headers })).status).toBe(200);
    }
    expect((await read(0, learner)).status).toBe(200);
    const inTrace = () =>
      endpoint
        .payloads("transaction")
        .filter(({ contexts }) => contexts.trace.trace_id === traceId);
    await expect.poll(() => inTrace().length).toBe(2);
    for (const { transaction, user, exception, spans } of inTrace()) {
      expect({ transaction, user, exception }).toEqual({
        transaction: "/api/user",
        user: { id: learner.userId },
        exception: undefined,
      });
      expect(spans.length).toBeGreaterThanOrEqual(2);
    }
  });
});

/** Read from /proc, because a stopped process cannot answer. */
function isStopped({ pid }: ChildProcess): boolean {
  return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.startsWith("T") ?? false;
}

/** Insert a user with an active session into Postgres; Redis loads it from there. */
async function record(
  databaseUrl: string,
  { userId, sessionId }: { userId: string; sessionId: string },
): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query("insert into users (id, name) values ($1, 'Ada')", [userId]);
  await client.query(
    `insert into sessions (id, user_id, auth_methods, authenticated_at, created_at, last_seen_at,
      idle_expires_at, expires_at)
    values ($1, $2, '{pwd}', now(), now(), now(), now() + interval '30 days',
      now() + interval '180 days')`,
    [sessionId, userId],
  );
  await client.end();
}
