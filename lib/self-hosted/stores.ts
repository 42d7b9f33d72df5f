import { hostAndPortOf, isNeonUrl } from "../database-url.js";
import { type Env, EnvironmentError } from "../env.js";
import { requireOverHttps, storeTimeouts } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";
import { postgresOverHttp } from "../platform/postgres-transport/over-http.js";
import { placeholderUrl, postgresOverSocket } from "../platform/postgres-transport/over-socket.js";
import { withFirstCallTimeout } from "../platform/redis-transport/first-call-timeout.js";
import { redisOverHttp } from "../platform/redis-transport/over-http.js";
import { redisOverSocket } from "../platform/redis-transport/over-socket.js";
import type { AttachedStores } from "./embedded-stores/attach.js";

export interface SelfHostedStores {
  platform: Platform;
  /** For the log line at startup. */
  descriptions: string[];
  /** Undefined for a real server. */
  embeddedPostgres: AttachedStores["postgres"] | undefined;
  close(): Promise<void>;
}

type EmbeddedStores = Pick<AttachedStores, "postgres" | "redis" | "detach">;

type Opened<Part> = { part: Part; description: string; close(): Promise<void> | void };

/** Each store that the environment does not name is embedded. Throws what `requireStores`, `requireOverHttps` and `attach` throw. */
export async function openSelfHostedStores(
  { stores, production }: Pick<Env, "stores" | "production">,
  attach: () => Promise<EmbeddedStores> = attachEmbedded,
): Promise<SelfHostedStores> {
  requireStores(stores, production);
  const embedded =
    stores.databaseUrl && (stores.redisUrl || stores.upstash) ? undefined : await attach();
  const postgres = openPostgres(stores, embedded);
  const redis = openRedis(stores, embedded);
  return {
    platform: { postgres: postgres.part, redis: redis.part },
    descriptions: [postgres.description, redis.description],
    embeddedPostgres: stores.databaseUrl ? undefined : embedded?.postgres,
    async close() {
      await Promise.all([postgres.close(), redis.close()]);
      embedded?.detach();
    },
  };
}

async function attachEmbedded(): Promise<EmbeddedStores> {
  const { attachStores } = await import("./embedded-stores/attach.js");
  return attachStores({ program: [".vercel/self-hosted/embedded-stores.mjs"] });
}

/** Throws an `EnvironmentError` that names settings that contradict or, in production, are missing. */
export function requireStores(stores: Env["stores"], production: boolean): void {
  if (stores.redisUrl && stores.upstash) {
    throw new EnvironmentError(
      "REDIS_URL and UPSTASH_REDIS_REST_URL are both set: set only one of them",
    );
  }
  if (!production || stores.embedded) return;
  const missing = [
    ...(stores.databaseUrl ? [] : ["DATABASE_URL"]),
    ...(stores.redisUrl || stores.upstash
      ? []
      : ["REDIS_URL (or UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN)"]),
  ];
  if (missing.length === 0) return;
  throw new EnvironmentError(
    `${missing.join(" and ")} required in production (EMBEDDED_STORES=true runs it on embedded stores)`,
  );
}

function openPostgres(
  { databaseUrl }: Env["stores"],
  embedded: EmbeddedStores | undefined,
): Opened<Platform["postgres"]> {
  const timeoutMs = storeTimeouts.postgresMs;
  const close = () => {};
  if (!databaseUrl) {
    const { connectionString, endpoint } = opened(embedded).postgres;
    const fetch = postgresOverHttp({ timeoutMs, endpoint });
    return { part: { connectionString, fetch }, description: "embedded Postgres", close };
  }
  const place = hostAndPortOf(databaseUrl);
  if (isNeonUrl(databaseUrl)) {
    requireOverHttps(databaseUrl);
    const fetch = postgresOverHttp({ timeoutMs });
    const part = { connectionString: databaseUrl, fetch };
    return { part, description: `Neon at ${place}`, close };
  }
  const transport = postgresOverSocket(databaseUrl, { deadlineMs: timeoutMs });
  return {
    part: {
      connectionString: placeholderUrl,
      fetch: transport.fetch,
      preparesByText: true,
      reconnect: transport.reconnect,
    },
    description: `PostgreSQL at ${place}`,
    close: transport.close,
  };
}

function openRedis(
  { redisUrl, upstash }: Env["stores"],
  embedded: EmbeddedStores | undefined,
): Opened<Platform["redis"]> {
  const { redisMs: timeoutMs, redisFirstMs } = storeTimeouts;
  if (redisUrl) {
    const { requester, close } = redisOverSocket(redisUrl);
    const part = withFirstCallTimeout(requester, redisFirstMs);
    return { part, description: `Redis at ${new URL(redisUrl).host}`, close };
  }
  const { url, token } = upstash ?? opened(embedded).redis;
  return {
    part: withFirstCallTimeout(redisOverHttp({ url, token, timeoutMs }), redisFirstMs),
    description: upstash ? `Upstash at ${new URL(url).host}` : "embedded Redis",
    close: () => {},
  };
}

function opened(embedded: EmbeddedStores | undefined): EmbeddedStores {
  if (!embedded) throw new Error("The embedded stores are not open.");
  return embedded;
}
