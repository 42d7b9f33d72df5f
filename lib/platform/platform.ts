import type { Requester } from "@upstash/redis";

export type NeonFetch = (
  url: string | URL,
  init: {
    method: string;
    headers: Record<string, string>;
    body: string;
    signal?: AbortSignal | undefined;
    /** Over HTTPS, instead of the deadline of requests. */
    timeoutMs?: number | undefined;
  },
) => Promise<{ ok: boolean; status: number; json(): Promise<unknown>; text(): Promise<string> }>;

export type RedisCall = Parameters<Requester["request"]>[0] & {
  timeoutMs?: number;
  /** A pipeline that may be sent together with others. */
  isGathered?: boolean;
};

/** Transports to the stores: over HTTPS, to local endpoints (development, tests, embedded), or over sockets (self-hosted). */
export interface Platform {
  postgres: {
    connectionString: string;
    fetch: NeonFetch;
    /** Statements are prepared by their text, which must not contain a correlation ID. */
    preparesByText?: true;
    /** Replace the pool's connections; see `postgresPool`. Undefined without a pool. */
    reconnect?: () => Promise<number>;
  };
  redis: Requester;
  /** The process is never frozen, and its shutdown waits for `waitUntil` work. */
  outlivesRequests?: true;
}
