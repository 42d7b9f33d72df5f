import type { Requester } from "@upstash/redis";

export type NeonFetch = (
  url: string | URL,
  init: {
    method: string;
    headers: Record<string, string>;
    body: string;
    signal?: AbortSignal | undefined;
  },
) => Promise<{ ok: boolean; status: number; json(): Promise<unknown>; text(): Promise<string> }>;

export type RedisCall = Parameters<Requester["request"]>[0] & { timeoutMs?: number };

/** Transports: HTTPS on Vercel, local endpoints in development and tests, in-process drivers when self-hosted. */
export interface Platform {
  postgres: {
    connectionString: string;
    fetch: NeonFetch;
    /** Statements are prepared by their text, so comments in them are removed. */
    preparesByText?: true;
  };
  redis: Requester;
}
