import type { Redis } from "ioredis";
import { isReplicaAnswer } from "./replica-answer.js";
import type { RedisBackend } from "./upstash-protocol.js";

/** Where every address leads to a replica, a new connection each time would be of no use. */
const renewMs = 1000;

/**
 * One ioredis connection as a backend. What is called in one turn of the event loop goes out in one write.
 * A connection that answers as a replica is replaced at once, and then at most once a second.
 */
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

  let renewedAtMs = Number.NEGATIVE_INFINITY;

  function renewIfReplica(error: unknown): void {
    if (!(error instanceof Error) || !isReplicaAnswer(error.message)) return;
    if (redis.status !== "ready" || performance.now() - renewedAtMs < renewMs) return;
    renewedAtMs = performance.now();
    redis.disconnect(true);
  }

  return {
    call([name = "", ...args]) {
      gatherWrites();
      const called = redis.call(name, args);
      called.catch(renewIfReplica);
      return called;
    },
    async multi(commands) {
      const transaction = redis.multi();
      for (const [name = "", ...args] of commands) transaction.call(name, args);
      const results = (await transaction.exec()) ?? [];
      for (const [error] of results) renewIfReplica(error);
      return results.map(([error, result]) => error ?? result);
    },
    async close() {
      redis.disconnect();
    },
  };
}
