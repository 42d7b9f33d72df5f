import process from "node:process";
import { openRealRedis } from "../../../dev/stores/real-redis.js";
import { openEmbeddedRedis } from "../../../lib/self-hosted/embedded-stores/redis.js";
import { startUpstashEndpoint } from "../../../lib/self-hosted/embedded-stores/upstash-endpoint.js";

export const realUrl = process.env.TEST_REDIS_URL;

/** An endpoint over the embedded server, with data in memory. */
export async function embeddedEndpoint() {
  const store = await openEmbeddedRedis({});
  const endpoint = await startUpstashEndpoint({ backend: store.backend, token: "secret" });
  return {
    ...endpoint,
    backend: store.backend,
    async close() {
      await endpoint.close();
      await store.close();
    },
  };
}

/** An endpoint over a real server. */
export async function realEndpoint(url: string) {
  const backend = await openRealRedis(url);
  const endpoint = await startUpstashEndpoint({ backend, token: "secret" });
  return {
    ...endpoint,
    backend,
    async close() {
      await endpoint.close();
      await backend.close();
    },
  };
}

/** The server that the tests run over: the real one if TEST_REDIS_URL is set, else the embedded one. */
export const servers: [string, () => ReturnType<typeof embeddedEndpoint>][] = realUrl
  ? [["real", () => realEndpoint(realUrl)]]
  : [["embedded", embeddedEndpoint]];
