import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import http from "node:http";
import process from "node:process";
import pg from "pg";
import { newSessionId } from "../../lib/auth/session/session.js";
import { issueAccessToken } from "../../lib/auth/token/access-token.js";
import { migrateCommand } from "../../lib/db/migrations/command.js";
import { readEnv } from "../../lib/env.js";
import { connectForMigrations } from "../../lib/self-hosted/migration-connection.js";
import { userHash } from "../../lib/telemetry/request-event.js";
import { CleanUp } from "../bench/clean-up.js";
import { startServer } from "../bench/server.js";
import { openRealRedis } from "../stores/real-redis.js";

const megabytesMin = 200;
const peakMegabytesMax = 256;
const rows = 560_000;
const secret = "a-secret-of-the-proof-of-32-bytes-or-more";

/** A built server exports an account of 200 MB, plain and compressed, and its memory stays below 256 MB. */
export async function prove(): Promise<boolean> {
  const cleanUp = new CleanUp();
  try {
    return await measure(cleanUp);
  } finally {
    await cleanUp.run(console.error);
  }
}

async function measure(cleanUp: CleanUp): Promise<boolean> {
  const { status } = spawnSync("npm", ["run", "--silent", "backend:build"], { stdio: "inherit" });
  if (status !== 0) return false;
  const environment = {
    PATH: process.env.PATH ?? "",
    NODE_ENV: "test",
    JWT_SECRET: secret,
    LOG_LEVEL: "error",
    DATABASE_URL: await openDatabase(cleanUp),
    REDIS_URL: await openRedis(cleanUp),
  };
  const token = await fillAccount(environment);
  let holds = true;
  for (const encoding of ["identity", "gzip"]) {
    const server = await startServer(
      {
        args: ["--max-old-space-size=256", "lib/self-hosted/start.mjs"],
        folder: process.cwd(),
        env: environment,
        probe: { path: "/api/livez" },
      },
      cleanUp,
    );
    const startedAt = performance.now();
    const { bytes, end } = await download(`${server.url}/api/user/export`, token, encoding);
    const seconds = (performance.now() - startedAt) / 1000;
    const { peakRssMb } = server.usage();
    await server.stop();
    const isWhole = encoding !== "identity" || (end === "}\n" && bytes >= megabytesMin * 1e6);
    holds &&= isWhole && peakRssMb < peakMegabytesMax;
    console.log(
      `${encoding}: ${(bytes / 1e6).toFixed(1)} MB in ${seconds.toFixed(1)} s, peak RSS ${peakRssMb.toFixed(0)} MB (< ${peakMegabytesMax} MB)${isWhole ? "" : ", INCOMPLETE"}`,
    );
  }
  console.log(holds ? "The proof holds." : "The proof FAILED.");
  return holds;
}

async function openDatabase(cleanUp: CleanUp): Promise<string> {
  const server = process.env.TEST_DATABASE_URL ?? "postgresql://postgres@127.0.0.1:5432/postgres";
  const name = `linguamate_prove_${process.pid}`;
  const query = async (text: string) => {
    const client = new pg.Client({ connectionString: server });
    await client.connect();
    await client.query(text);
    await client.end();
  };
  await query(`create database ${name}`);
  cleanUp.later(() => query(`drop database ${name} with (force)`));
  const url = Object.assign(new URL(server), { pathname: `/${name}` }).toString();
  const io = { out: () => {}, error: console.error };
  if (
    (await migrateCommand(
      ["up"],
      async () => connectForMigrations({ connectionString: url }),
      io,
    )) !== 0
  ) {
    throw new Error("The migration failed.");
  }
  return url;
}

/** An empty database of the Redis server, which is emptied afterwards. */
async function openRedis(cleanUp: CleanUp): Promise<string> {
  const server = process.env.TEST_REDIS_URL ?? "redis://127.0.0.1:6379";
  for (let number = 15; number > 8; number -= 1) {
    const url = Object.assign(new URL(server), { pathname: `/${number}` }).toString();
    const redis = await openRealRedis(url);
    const size = await redis.call(["DBSIZE"]);
    if (size === 0) {
      cleanUp.later(async () => {
        await redis.call(["FLUSHDB"]);
        await redis.close();
      });
      return url;
    }
    await redis.close();
  }
  throw new Error(`${server} has no empty database.`);
}

/** Inserts an account with many requests in the access log. Returns its token. */
async function fillAccount(environment: Record<string, string>): Promise<string> {
  const env = readEnv(environment);
  const [userId, sessionId, now] = [randomUUID(), newSessionId(), new Date()];
  const client = new pg.Client({ connectionString: environment.DATABASE_URL });
  await client.connect();
  await client.query("insert into users (id, name) values ($1, 'Ada')", [userId]);
  await client.query(
    `insert into sessions (id, user_id, auth_methods, authenticated_at, created_at, last_seen_at, idle_expires_at, expires_at)
     values ($1, $2, '{pwd}', now(), now(), now(), now() + interval '30 days', now() + interval '180 days')`,
    [sessionId, userId],
  );
  await client.query(
    `insert into access_log (at, count, one_in, correlation_id, route, method, status, duration_ms,
       user_hash, ip_prefix, app_version, release)
     select now() - n * interval '1 second', 1, 1, gen_random_uuid(), '/api/user/preferences', 'GET', 200, 12.5,
       $1, '203.0.113.0/24', '1.4.0', 'a-release-of-the-proof' from generate_series(1, $2::int) n`,
    [userHash(env, userId), rows],
  );
  await client.query("analyze access_log");
  await client.end();
  return issueAccessToken(
    env,
    { userId, sessionId, authenticatedAt: now, authMethods: ["pwd"] },
    now,
  );
}

function download(
  url: string,
  token: string,
  encoding: string,
): Promise<{ bytes: number; end: string }> {
  const headers = { authorization: `Bearer ${token}`, "accept-encoding": encoding };
  return new Promise((resolve, reject) => {
    http
      .get(url, { headers }, (response) => {
        if (response.statusCode !== 200) reject(new Error(`Status ${response.statusCode}`));
        let bytes = 0;
        let last = Buffer.alloc(0);
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          last = Buffer.concat([last, chunk]).subarray(-2);
        });
        response.on("error", reject);
        response.on("end", () => resolve({ bytes, end: last.toString("latin1") }));
      })
      .on("error", reject);
  });
}
