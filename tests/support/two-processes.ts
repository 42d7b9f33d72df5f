import { randomBytes, randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, inject } from "vitest";
import { newSessionId } from "../../lib/auth/session/session.js";
import { issueAccessToken } from "../../lib/auth/token/access-token.js";
import { issueRefreshToken } from "../../lib/auth/token/refresh-token.js";
import type { TokenPair } from "../../lib/auth/token/token-pair.js";
import { env } from "../../lib/env.js";
import type { RedisBackend } from "../../lib/platform/redis-transport/upstash-protocol.js";
import { setEnvironment } from "./environment.js";
import { password } from "./people.js";
import { createDatabase, openWorkerRedis, workerRedisUrl } from "./real-stores.js";
import { builtServer, type ServerProcess, startServerProcess } from "./server-process.js";

/** Two built servers over a real PostgreSQL and a real Redis, with direct access to the stores. */
export interface TwoProcesses {
  servers: ServerProcess[];
  /** The environment of the servers. */
  environment: Record<string, string>;
  /** The URL of the server for this turn. */
  at(turn: number): string;
  start(): Promise<ServerProcess>;
  redis(...command: string[]): Promise<unknown>;
  sql<Row extends pg.QueryResultRow>(text: string, params?: unknown[]): Promise<Row[]>;
  /** Run SQL in one transaction. */
  transaction(...statements: [text: string, params: unknown[]][]): Promise<void>;
  /** Register a learner through the API. */
  aLearner(turn?: number): Promise<Tokens & { email: string }>;
  /** Insert a learner with a session into Postgres only, which is faster than registration. */
  aRecordedLearner(): Promise<Tokens>;
  read(turn: number, tokens: Pick<Tokens, "accessToken">): Promise<Response>;
  refresh(turn: number, refreshToken: string, headers?: Record<string, string>): Promise<PairReply>;
  logIn(turn: number, email: string): Promise<PairReply>;
  logOut(turn: number, tokens: Pick<Tokens, "accessToken">): Promise<Response>;
}

export type Tokens = Pick<TokenPair, "accessToken" | "refreshToken" | "sessionId"> & {
  userId: string;
};

export interface PairReply {
  status: number;
  code: string | undefined;
  /** Present if the status is 200. */
  pair: TokenPair | undefined;
}

interface Options {
  environment?: Record<string, string>;
  /** The Redis to use instead of the worker's, read after it has started. */
  redisUrl?: () => string;
  /** Prepare the database, and return the URL to which the servers connect. */
  prepareDatabase?: (databaseUrl: string) => Promise<string>;
}

/** Start two servers for this test file, without rate limits by IP address. */
export function useTwoProcesses({
  environment = {},
  redisUrl,
  prepareDatabase = async (databaseUrl) => databaseUrl,
}: Options = {}): TwoProcesses {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let pool: pg.Pool;
  let redis: RedisBackend | undefined;
  const started: ServerProcess[] = [];

  const processes: TwoProcesses = {
    servers: [],
    environment: {},
    at: (turn) => processes.servers[turn % processes.servers.length]?.url ?? "",
    async start() {
      const root = inject("builtProject");
      const server = await startServerProcess(root, builtServer, processes.environment);
      started.push(server);
      return server;
    },
    async redis(...command) {
      if (!redis) throw new Error("This test has its own Redis: use it directly.");
      return redis.call(command);
    },
    sql: async (text, params) => (await pool.query(text, params)).rows,
    async transaction(...statements) {
      const client = await pool.connect();
      await client.query("begin");
      for (const [text, params] of statements) await client.query(text, params);
      await client.query("commit");
      client.release();
    },
    async aLearner(turn = 0) {
      const email = `learner-${randomUUID()}@example.com`;
      const body = { email, password, name: "Ada", acceptedTerms: true };
      const response = await post(`${processes.at(turn)}/api/auth/register`, body, anAddress());
      expect(response.status).toBe(201);
      const pair = (await response.json()) as TokenPair;
      // Logins to an address that is only claimed count as failures.
      await pool.query(
        "update users set email = claimed_email, claimed_email = null where id = $1",
        [pair.user.id],
      );
      return { ...pair, userId: pair.user.id, email };
    },
    async aRecordedLearner() {
      const [userId, sessionId, now] = [randomUUID(), newSessionId(), new Date()];
      await pool.query("insert into users (id, name) values ($1, 'Ada')", [userId]);
      await pool.query(
        `insert into sessions (id, user_id, auth_methods, authenticated_at, created_at,
          last_seen_at, idle_expires_at, expires_at)
        values ($1, $2, '{pwd}', $3, $3, $3, now() + interval '30 days', now() + interval '180 days')`,
        [sessionId, userId, now],
      );
      const claims = { userId, sessionId, authenticatedAt: now, authMethods: ["pwd"] };
      const accessToken = await issueAccessToken(env(), claims, now);
      const refreshToken = issueRefreshToken(env(), { sessionId, counter: 0 });
      return { userId, sessionId, accessToken, refreshToken };
    },
    read: (turn, { accessToken }) =>
      received(fetch(`${processes.at(turn)}/api/user`, { headers: bearer(accessToken) })),
    refresh: async (turn, refreshToken, headers) =>
      pairReply(await post(`${processes.at(turn)}/api/auth/refresh`, { refreshToken }, headers)),
    logIn: async (turn, email) =>
      pairReply(
        await post(`${processes.at(turn)}/api/auth/login`, { email, password }, anAddress()),
      ),
    logOut: (turn, { accessToken }) =>
      received(
        fetch(`${processes.at(turn)}/api/auth/logout`, {
          method: "POST",
          headers: bearer(accessToken),
        }),
      ),
  };

  beforeAll(async () => {
    database = await createDatabase(inject("migrated"));
    pool = new pg.Pool({ connectionString: database.url, max: 4 });
    pool.on("error", () => {});
    if (!redisUrl) redis = await openWorkerRedis();
    processes.environment = {
      // The same as in the test process, which issues tokens too.
      NODE_ENV: "test",
      DATABASE_URL: await prepareDatabase(database.url),
      REDIS_URL: redisUrl?.() ?? workerRedisUrl(),
      JWT_SECRET: "a-secret-of-the-tests-of-32-bytes-or-more",
      LOG_LEVEL: "NOTICE",
      RATE_LIMIT_MAX_REQUESTS: "100000",
      TRUSTED_PROXIES: "127.0.0.1",
      ...environment,
    };
    setEnvironment(processes.environment);
    processes.servers = await Promise.all([processes.start(), processes.start()]);
  });
  afterAll(async () => {
    await Promise.all(started.map((server) => server.stop()));
    await redis?.close();
    await pool.end();
    await database.drop();
    setEnvironment({});
  });
  return processes;
}

/** The headers of a refresh: a new Rotation-Id, and the device ID. */
export function rotation(deviceId?: string): Record<string, string> {
  const rotationId = { "rotation-id": randomBytes(16).toString("base64url") };
  return deviceId === undefined ? rotationId : { ...rotationId, "device-id": deviceId };
}

/** The counter in a refresh token. */
export const counterOf = (refreshToken: string) => Number(refreshToken.split(".")[3]);

export const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

export function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

async function pairReply(response: Response): Promise<PairReply> {
  const { status } = response;
  const body = (await response.json()) as TokenPair & { code?: string };
  return { status, code: body.code, pair: status === 200 ? body : undefined };
}

/** Read the whole body, because a server may be killed during a reply. */
async function received(reply: Promise<Response>): Promise<Response> {
  const response = await reply;
  await response.arrayBuffer();
  return response;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** A random private IP address for each caller. */
function anAddress(): Record<string, string> {
  const [a = 0, b = 0, c = 0] = randomBytes(3);
  return { "x-forwarded-for": `10.${a}.${b}.${c}` };
}
