import type { Requester } from "@upstash/redis";
import type { RedisCall } from "../platform.js";

/** A longer timeout for the calls that open the connection: all calls until the first has finished. */
export function withFirstCallTimeout(requester: Requester, timeoutMs: number): Requester {
  let isFirst = true;
  return Object.assign(Object.create(requester) as Requester, {
    request<Result>(call: RedisCall) {
      if (!isFirst) return requester.request<Result>(call);
      const first: RedisCall = { timeoutMs, ...call };
      return requester.request<Result>(first).finally(() => {
        isFirst = false;
      });
    },
  });
}
