import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { timestamp } from "../../db/timestamp.js";
import type { RetentionClass } from "./classes.js";

/** SQL: what is older than this is removed. By the slower of two clocks, so that one wrong clock removes nothing early. */
export function cutoff(
  { env, now }: Context,
  { keptHours }: Pick<RetentionClass, "keptHours">,
  moreHours = 0,
): SQL {
  const hours = keptHours(env) + moreHours;
  return sql`(least(now(), ${timestamp(now)}) - make_interval(hours => cast(${hours} as integer)))`;
}
