import type { Context } from "../context.js";
import { redisLags } from "./lag.js";

/** How long a write that ends or blocks something waits for Redis. */
export const enforceTimeoutMs = 3000;

/**
 * Run a write to Redis that puts into force what Postgres records. When Redis does not take it, the
 * request's facts say so, `onFailure` logs it, this process goes by the record, and the record is written
 * into Redis again each second (`lib/admission/catch-up.ts`). Never rejects.
 */
export async function enforce(
  { requestMetrics }: Pick<Context, "requestMetrics">,
  write: () => Promise<unknown>,
  onFailure: (error: unknown) => void,
): Promise<void> {
  try {
    await write();
  } catch (error) {
    requestMetrics.isPendingInRedis = true;
    redisLags();
    onFailure(error);
  }
}
