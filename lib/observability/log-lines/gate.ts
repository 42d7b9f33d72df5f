import { errorFields, log } from "../logger.js";

/** Neither Redis nor Postgres tells the flags and blocks: the process goes by what it knew. */
export function rulesUnreadable(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "rules_unreadable", cat: "ops", correlationId, data: errorFields(error) },
    "Flags and blocks cannot be read; what was last known holds",
  );
}

/** A change of flags or blocks stands in Postgres and not in Redis yet: the clock repeats it. */
export function mirrorUnwritten(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "mirror_unwritten", cat: "ops", correlationId, data: errorFields(error) },
    "Redis does not hold the newest flags and blocks yet",
  );
}

/** Redis has taken what it refused or missed before, and decides again. */
export function redisCaughtUp(correlationId: string): void {
  log(
    "NOTICE",
    { evt: "redis_caught_up", cat: "ops", correlationId },
    "Redis holds everything again that was ended, blocked or switched off",
  );
}
