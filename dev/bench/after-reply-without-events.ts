import { resyncRedis } from "../../lib/admission/resync-redis.js";
import type { Exchange } from "../../lib/http/exchange.js";
import { isRedisStale } from "../../lib/redis/stale-redis.js";
import { requestEnded } from "../../lib/requests-in-flight.js";

/** Replaces lib/http/after-reply.ts in the build without request events. */
export async function afterReply({ ctx, deferred }: Exchange): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  requestEnded();
  while (deferred.length > 0) {
    await Promise.allSettled(deferred.splice(0).map((work) => work()));
  }
  if (isRedisStale()) await resyncRedis(ctx);
}
