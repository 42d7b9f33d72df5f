import { isDatabaseError } from "../db/failures.js";
import { AppError } from "../errors.js";

/** For work that fails without Redis: throws `redis_unavailable`, and the errors of Postgres as they are. */
export async function orRedisUnavailable<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof AppError || isDatabaseError(cause)) throw cause;
    throw new AppError("redis_unavailable", { cause, retryAfterSeconds: 5 });
  }
}
