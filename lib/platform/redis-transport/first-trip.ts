import type { Requester } from "@upstash/redis";
import type { RedisCall } from "../platform.js";

/**
 * Give the first trip of a process, which opens the connection, a deadline of its own. All that begin
 * before one of them has ended are first.
 */
export function withFirstTrip(requester: Requester, timeoutMs: number): Requester {
  let isFirst = true;
  return Object.assign(Object.create(requester) as Requester, {
    request: async <Result>(call: RedisCall) => {
      if (!isFirst) return requester.request<Result>(call);
      const first: RedisCall = { timeoutMs, ...call };
      try {
        return await requester.request<Result>(first);
      } finally {
        isFirst = false;
      }
    },
  });
}
