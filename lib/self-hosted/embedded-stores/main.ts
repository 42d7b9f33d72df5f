import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { startNeonEndpoint } from "./neon-endpoint.js";
import { type OpenStores, ownStores } from "./owner.js";
import { openEmbeddedPostgres } from "./postgres.js";
import { type EmbeddedRedis, openEmbeddedRedis } from "./redis.js";
import { startUpstashEndpoint } from "./upstash-endpoint.js";

const directory = process.argv[2];
if (!directory) throw new Error("usage: stores DIRECTORY");

const owner = await ownStores(directory, openStores);
if (owner) {
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => owner.close());
  await owner.closed;
}
process.exit(0);

async function openStores(directory: string, { fresh }: { fresh: boolean }): Promise<OpenStores> {
  const files = { postgres: join(directory, "postgres"), redis: join(directory, "redis.json") };
  if (fresh)
    for (const file of Object.values(files)) rmSync(file, { recursive: true, force: true });

  const [postgres, redis] = await Promise.all([
    openEmbeddedPostgres({ directory: files.postgres }),
    openEmbeddedRedis({ file: files.redis }),
  ]);
  if (!redis.wasClean) await deleteSessionKeys(redis);

  const connectionString = `postgresql://linguamate:${secret()}@localhost/linguamate`;
  const [neon, upstash, resp] = await Promise.all([
    startNeonEndpoint({ backend: postgres.backend, connectionString }),
    startUpstashEndpoint({ backend: redis.backend, token: secret() }),
    redis.listenResp(6380).catch(() => redis.listenResp(0)),
  ]);
  return {
    state: {
      pid: process.pid,
      postgres: { connectionString, endpoint: neon.url },
      redis: { url: upstash.url, token: upstash.token },
      respPort: resp.port,
      redisWasClean: redis.wasClean,
    },
    async close() {
      await Promise.all([neon.close(), upstash.close(), resp.close()]);
      await Promise.all([postgres.close(), redis.close()]);
    },
  };
}

/** After a kill, Redis may be older than Postgres and would revive revoked sessions: Postgres must decide. */
async function deleteSessionKeys({ backend }: EmbeddedRedis): Promise<void> {
  let cursor = "0";
  const keys = ["gate"];
  do {
    const page = await backend.call(["SCAN", cursor, "MATCH", "session:*", "COUNT", "1000"]);
    const [next, found] = page as [string, string[]];
    keys.push(...found);
    cursor = next;
  } while (cursor !== "0");
  await backend.call(["DEL", ...keys]);
}

function secret(): string {
  return randomBytes(24).toString("hex");
}
