import process from "node:process";
import type { Redis } from "ioredis";
import type { RedisBackend } from "./upstash-protocol.js";

/** One ioredis connection as a backend. What is called in one tick goes out in one write. */
export function redisConnection(redis: Redis): RedisBackend {
  // Failures reach whoever called; without a listener ioredis would print each attempt to reconnect.
  redis.on("error", () => {});
  let corked = false;

  function gatherWrites(): void {
    const { stream } = redis;
    if (corked || !stream) return;
    corked = true;
    stream.cork();
    process.nextTick(() => {
      corked = false;
      stream.uncork();
    });
  }

  return {
    call([name = "", ...args]) {
      gatherWrites();
      return redis.call(name, args);
    },
    async multi(commands) {
      const transaction = redis.multi();
      for (const [name = "", ...args] of commands) transaction.call(name, args);
      const results = (await transaction.exec()) ?? [];
      return results.map(([error, result]) => error ?? result);
    },
    async close() {
      redis.disconnect();
    },
  };
}
