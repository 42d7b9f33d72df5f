import type { Env } from "../lib/env.js";
import { storeTimeouts } from "../lib/platform/installed.js";
import type { Platform } from "../lib/platform/platform.js";
import { type AttachedStores, StoresError } from "../lib/self-hosted/embedded-stores/attach.js";
import { requireStores } from "../lib/self-hosted/stores.js";
import { attachFromSource } from "./stores/attach-stores.js";
import { type OpenPostgres, openPostgres } from "./stores/open-postgres.js";
import { type OpenRedis, openRedis } from "./stores/open-redis.js";

export interface OpenPlatform {
  platform: Platform;
  postgres: OpenPostgres;
  redis: OpenRedis;
  /** Resolves when the embedded stores stopped unexpectedly. */
  lost: Promise<void>;
  close(): Promise<void>;
}

/** The stores of a development process: each is the configured one, or else the embedded one. */
export async function openPlatform(
  stores: Env["stores"],
  { fresh }: { fresh: boolean },
): Promise<OpenPlatform> {
  requireStores(stores, false);
  let attaching: Promise<AttachedStores> | undefined;
  const embedded = () => {
    attaching ??= attachFromSource({ fresh });
    return attaching;
  };
  const [postgres, redis] = await Promise.all([
    openPostgres(stores.databaseUrl, storeTimeouts.postgresMs, embedded),
    openRedis(stores, storeTimeouts.redisMs, embedded),
  ]);
  const attached = await attaching;
  if (fresh && !attached) {
    throw new StoresError("--fresh empties the embedded stores, and the environment names others.");
  }
  return {
    platform: { postgres: postgres.transport, redis: redis.transport },
    postgres,
    redis,
    lost: attached?.lost ?? new Promise(() => {}),
    async close() {
      await Promise.all([postgres.close(), redis.close()]);
      attached?.detach();
    },
  };
}
