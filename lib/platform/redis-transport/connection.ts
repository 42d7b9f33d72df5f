import type { Redis } from "ioredis";
import { isReplicaReply } from "./replica-reply.js";
import type { RedisBackend } from "./upstash-protocol.js";

/** Minimum time between reconnects, in case every address is a replica. */
const renewMs = 1000;

/** A pipeline, and the calls of one event loop turn, are written together. A connection to a replica is replaced, once a second at most. */
export function redisConnection(redis: Redis): RedisBackend {
  // Callers get the errors; without a listener ioredis prints each reconnect.
  redis.on("error", () => {});
  let corked = false;

  function gatherWrites(): void {
    const { stream } = redis;
    if (corked || !stream) return;
    corked = true;
    stream.cork();
    setImmediate(() => {
      corked = false;
      stream.uncork();
    });
  }

  let renewedAtMs = Number.NEGATIVE_INFINITY;

  function renewIfReplica(error: unknown): void {
    if (!(error instanceof Error) || !isReplicaReply(error.message)) return;
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
    async pipeline(commands) {
      const { stream } = redis;
      stream?.cork();
      const calls = commands.map(([name = "", ...args]) => redis.call(name, args));
      stream?.uncork();
      const settled = await Promise.allSettled(calls);
      return settled.map((one) => {
        if (one.status === "fulfilled") return one.value;
        renewIfReplica(one.reason);
        if (one.reason.name !== "ReplyError") throw one.reason;
        return one.reason;
      });
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
