import type { Redis } from "ioredis";
import type { RedisBackend } from "./upstash-protocol.js";

/** One ioredis connection as a backend. What is called in one turn of the event loop goes out in one write. */
export function redisConnection(redis: Redis): RedisBackend {
  // Failures reach whoever called; without a listener ioredis would print each attempt to reconnect.
  redis.on("error", () => {});
  let corked = false;

  function gatherWrites(): void {
    const { stream } = redis;
    if (corked || !stream) return;
    corked = true;
    stream.cork();
    // A write to a socket costs more than a command: one serves all requests of this turn of the loop.
    setImmediate(() => {
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
