import { errors, type Requester } from "@upstash/redis";
import { installPlatform, platform } from "../../lib/platform/installed.js";

const reads = new Set(
  "CONFIG EXISTS GET HGET HGETALL HMGET INFO PING SCAN SMEMBERS SMISMEMBER TIME XLEN".split(" "),
);

/**
 * Make Redis serve reads and refuse writes, like a replica after a failover, until the end of the test or
 * a call of the returned function.
 */
export function refuseWrites(error: string): () => void {
  const { redis } = platform();
  let isRefusing = true;
  const isRefused = (command: unknown) =>
    isRefusing && !reads.has(String((command as unknown[])[0]).toUpperCase());
  async function request(call: Parameters<Requester["request"]>[0]) {
    const body = call.body as unknown[];
    if (!Array.isArray(body[0])) {
      if (isRefused(body)) throw new errors.UpstashError(error);
      return redis.request(call);
    }
    const served = body.filter((command) => !isRefused(command));
    const replies = served.length > 0 ? await redis.request({ ...call, body: served }) : [];
    const waiting = [...(replies as unknown[])];
    return body.map((command) => (isRefused(command) ? { error } : waiting.shift()));
  }
  installPlatform({ ...platform(), redis: { request } as unknown as Requester });
  return () => {
    isRefusing = false;
  };
}
