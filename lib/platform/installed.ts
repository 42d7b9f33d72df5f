import { isNeonDriverUrl } from "../database-url.js";
import { EnvironmentError, env } from "../env.js";
import { memoizeByObject } from "../memoize-by-object.js";
import type { Platform } from "./platform.js";
import { postgresOverHttp } from "./postgres-transport/over-http.js";
import { withBreaker } from "./redis-transport/breaker.js";
import { withFirstCallTimeout } from "./redis-transport/first-call-timeout.js";
import { withGatheredPipelines } from "./redis-transport/gathered-pipelines.js";
import { redisOverHttp } from "./redis-transport/over-http.js";

const slot = Symbol.for("linguamate.platform");
const shared = globalThis as { [slot]?: Platform };

/** Gathers the calls to Redis, and adds a breaker. On globalThis: server and functions are separate bundles but share one set of connections. */
export function installPlatform(platform: Platform): void {
  shared[slot] = { ...platform, redis: withGatheredPipelines(withBreaker(platform.redis)) };
}

/** True on our own server, which also sets the platform's request headers. */
export function isSelfHosted(): boolean {
  return shared[slot] !== undefined;
}

export function outlivesRequests(): boolean {
  return shared[slot]?.outlivesRequests === true;
}

/** Replace the connections of this process to Postgres, and connect. How many there were; undefined without a pool. Rejects when Postgres is unreachable. */
export async function reconnectPostgres(): Promise<number | undefined> {
  return platform().postgres.reconnect?.();
}

export function hasPostgresPool(): boolean {
  return shared[slot]?.postgres.reconnect !== undefined;
}

/** Without an installed one, HTTPS as the environment says. Throws `EnvironmentError`. */
export function platform(): Platform {
  return shared[slot] ?? overHttps(env());
}

/** Throws an `EnvironmentError` for a URL without user, host or database, which works only over a socket. */
export function requireOverHttps(databaseUrl: string): void {
  if (isNeonDriverUrl(databaseUrl)) return;
  throw new EnvironmentError(
    "DATABASE_URL must contain a user, a host and a database to be used over HTTPS",
  );
}

/** Postgres: leaves time for a reply within 3 s. Redis: every request waits for it; the first call opens the connection. */
export const storeTimeouts = { postgresMs: 2000, redisMs: 250, redisFirstMs: 1000 } as const;

const overHttps = memoizeByObject(({ stores }: ReturnType<typeof env>): Platform => {
  if (!stores.databaseUrl) throw new EnvironmentError("DATABASE_URL is required");
  requireOverHttps(stores.databaseUrl);
  if (!stores.upstash) throw new EnvironmentError("UPSTASH_REDIS_REST_URL is required");
  return {
    postgres: {
      connectionString: stores.databaseUrl,
      fetch: postgresOverHttp({ timeoutMs: storeTimeouts.postgresMs }),
    },
    redis: withGatheredPipelines(
      withBreaker(
        withFirstCallTimeout(
          redisOverHttp({ ...stores.upstash, timeoutMs: storeTimeouts.redisMs }),
          storeTimeouts.redisFirstMs,
        ),
      ),
    ),
  };
});
