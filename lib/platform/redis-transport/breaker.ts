import type { Requester } from "@upstash/redis";
import type { RedisCall } from "../platform.js";

const failuresToOpen = 2;
const openMs = 2000;

/** Redis was not asked: it has just failed to answer twice. */
class RedisSkippedError extends Error {
  override readonly name = "RedisSkippedError";

  constructor(cause: unknown) {
    super("Redis is skipped after repeated failures.", { cause });
  }
}

/** By name: on a self-hosted server the error was made in another bundle, by another class. */
export function isRedisSkipped(error: unknown): boolean {
  const name: RedisSkippedError["name"] = "RedisSkippedError";
  return error instanceof Error && error.name === name;
}

/**
 * Stop asking a Redis that does not answer: after two failures in a row every call fails at once for
 * 2 s, so that requests wait for a dead Redis at most once in that time. A command that Redis itself
 * refuses is an answer and counts as health. A call with a deadline of its own is always sent: it is
 * worth the wait.
 */
export function withBreaker(requester: Requester): Requester {
  let failures = 0;
  let openUntil = 0;
  let lastFailure: unknown;
  return Object.assign(Object.create(requester) as Requester, {
    request: async <Result>(call: RedisCall) => {
      if (Date.now() < openUntil && call.timeoutMs === undefined)
        throw new RedisSkippedError(lastFailure);
      try {
        const reply = await requester.request<Result>(call);
        failures = 0;
        return reply;
      } catch (error) {
        if (error instanceof Error && error.name === "UpstashError") {
          failures = 0;
        } else if (++failures >= failuresToOpen) {
          openUntil = Date.now() + openMs;
          lastFailure = error;
        }
        throw error;
      }
    },
  });
}
