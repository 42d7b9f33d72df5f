import { Redis } from "ioredis";
import { redisConnection } from "../../lib/platform/redis-transport/connection.js";
import type { RedisBackend } from "../../lib/platform/redis-transport/upstash-protocol.js";

/** Rejects if the server cannot be reached now; a later loss is reconnected. */
export async function openRealRedis(url: string): Promise<RedisBackend> {
  const redis = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: 2000,
    retryStrategy: (attempts) => Math.min(attempts * 50, 1000),
  });
  const backend = redisConnection(redis);
  let reason: unknown;
  redis.once("error", (error) => {
    reason = error;
  });
  try {
    await redis.connect();
  } catch (error) {
    await backend.close();
    throw new Error(`Redis at ${new URL(url).host} cannot be reached.`, { cause: reason ?? error });
  }
  return backend;
}
