import type { Context } from "../context.js";
import { markRedisStale } from "./stale-redis.js";

export const enforceTimeoutMs = 3000;

/** After a failed write Redis is stale: Postgres decides until lib/admission/resync-redis.ts has repeated it. Never rejects. */
export async function enforce(
  { requestMetrics }: Pick<Context, "requestMetrics">,
  write: () => Promise<unknown>,
  onFailure: (error: unknown) => void,
): Promise<void> {
  try {
    await write();
  } catch (error) {
    requestMetrics.isPendingInRedis = true;
    markRedisStale();
    onFailure(error);
  }
}
