import type { Requester } from "@upstash/redis";

/** The part of `fetch` that Neon's driver uses, so that a transport need not build Response objects. */
export type NeonFetch = (
  url: string | URL,
  init: {
    method: string;
    headers: Record<string, string>;
    body: string;
    signal?: AbortSignal | undefined;
  },
) => Promise<{ ok: boolean; status: number; json(): Promise<unknown>; text(): Promise<string> }>;

/** A call of Redis. Without a deadline of its own it gets the transport's. */
export type RedisCall = Parameters<Requester["request"]>[0] & { timeoutMs?: number };

/**
 * What reaches the two stores from where this code runs: HTTPS on Vercel, the local endpoints in
 * development and tests, in-process drivers when self-hosted. The clients above it are the same.
 */
export interface Platform {
  postgres: {
    connectionString: string;
    fetch: NeonFetch;
    /** True where single statements are prepared by their text: a comment would only be taken off again. */
    preparesByText?: true;
  };
  redis: Requester;
}
