import type { Requester } from "@upstash/redis";
import type { RedisCall } from "../platform.js";

const failuresToOpen = 2;
const openMs = 2000;

class RedisSkippedError extends Error {
  override readonly name = "RedisSkippedError";

  constructor(cause: unknown) {
    super("Redis is skipped after repeated failures.", { cause });
  }
}

/** By name: the error can be of another bundle's class. */
export function isRedisSkipped(error: unknown): boolean {
  const name: RedisSkippedError["name"] = "RedisSkippedError";
  return error instanceof Error && error.name === name;
}

/**
 * After two failures in a row, calls fail at once for 2 s. An error reply of Redis is not a failure. Calls with their own
 * `timeoutMs` are always sent.
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
