import { randomBytes } from "node:crypto";
import type { Requester } from "@upstash/redis";
import type { Env } from "../../lib/env.js";
import { redisOverHttp } from "../../lib/platform/redis-transport/over-http.js";
import type { AttachedStores } from "../../lib/self-hosted/embedded-stores/attach.js";
import { startUpstashEndpoint } from "../../lib/self-hosted/embedded-stores/upstash-endpoint.js";
import { openRealRedis } from "./real-redis.js";

export interface OpenRedis {
  transport: Requester;
  /** Shown at start. Without the password. */
  description: string;
  /** For `redis-cli`, if it can connect. */
  cliArguments: string | undefined;
  close(): Promise<void>;
}

/** `REDIS_URL` gets our endpoint in front, so that client and transport are those of production. */
export async function openRedis(
  { redisUrl, upstash }: Env["stores"],
  timeoutMs: number,
  embedded: () => Promise<AttachedStores>,
): Promise<OpenRedis> {
  if (redisUrl) {
    const { hostname, port, pathname } = new URL(redisUrl);
    const backend = await openRealRedis(redisUrl);
    const endpoint = await startUpstashEndpoint({
      backend,
      token: randomBytes(24).toString("hex"),
    });
    return {
      transport: redisOverHttp({ url: endpoint.url, token: endpoint.token, timeoutMs }),
      description: `Redis (${hostname}:${port || 6379}${pathname})`,
      cliArguments: `-h ${hostname} -p ${port || 6379} -n ${pathname.slice(1) || 0}`,
      async close() {
        await endpoint.close();
        await backend.close();
      },
    };
  }
  if (upstash) {
    return {
      transport: redisOverHttp({ ...upstash, timeoutMs }),
      description: `Upstash (${new URL(upstash.url).host})`,
      cliArguments: undefined,
      close: async () => {},
    };
  }
  const { redis, respPort } = await embedded();
  return {
    transport: redisOverHttp({ ...redis, timeoutMs }),
    description: "embedded Redis (.local/redis.json)",
    cliArguments: `-p ${respPort}`,
    close: async () => {},
  };
}
