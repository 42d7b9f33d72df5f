import type { Redis } from "@upstash/redis";
import type { FetchFunction } from "./postgres-over-http.js";

/** The transport that `@upstash/redis` accepts in place of its own HTTP client. */
export type RedisRequester = ConstructorParameters<typeof Redis>[0] extends infer _
  ? import("./upstash-protocol.js").RedisRequester
  : never;

/**
 * What reaches the two stores from where this code runs: HTTPS on Vercel, the local endpoints in
 * development and tests, in-process drivers when self-hosted. The clients above it are the same.
 */
export interface Platform {
  postgres: { connectionString: string; fetch: FetchFunction };
  redis: RedisRequester;
}
