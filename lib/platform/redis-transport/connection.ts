import { type Redis, ReplyError } from "ioredis";
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

  function inspect(error: unknown): void {
    if (!(error instanceof Error && error instanceof ReplyError)) return;
    // Its own name is that of its class, which the minifier changes.
    Object.defineProperty(error, "name", { value: "ReplyError" });
    if (!isReplicaReply(error.message)) return;
    if (redis.status !== "ready" || performance.now() - renewedAtMs < renewMs) return;
    renewedAtMs = performance.now();
    redis.disconnect(true);
  }

  return {
    call([name = "", ...args]) {
      gatherWrites();
      const called = redis.call(name, args);
      called.catch(inspect);
      return called;
    },
    async pipeline(commands) {
      const { stream } = redis;
      const calls: Promise<unknown>[] = [];
      stream?.cork();
      try {
        for (const [name = "", ...args] of commands) calls.push(redis.call(name, args));
      } finally {
        stream?.uncork();
      }
      const settled = await Promise.allSettled(calls);
      return settled.map((one) => {
        if (one.status === "fulfilled") return one.value;
        inspect(one.reason);
        if (one.reason.name !== "ReplyError") throw one.reason;
        return one.reason;
      });
    },
    async multi(commands) {
      const transaction = redis.multi();
      for (const [name = "", ...args] of commands) transaction.call(name, args);
      const executed = transaction.exec();
      executed.catch(inspect);
      const results = (await executed) ?? [];
      for (const [error] of results) inspect(error);
      return results.map(([error, result]) => error ?? result);
    },
    async close() {
      redis.disconnect();
    },
  };
}
