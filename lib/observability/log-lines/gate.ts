import { errorFields, log } from "../logger.js";

export function rulesUnreadable(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "rules_unreadable", cat: "ops", correlationId, data: errorFields(error) },
    "Cannot read flags and blocks; using the last known ones",
  );
}

/** Retried each second and by the tick. */
export function redisCopyOutdated(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "mirror_unwritten", cat: "ops", correlationId, data: errorFields(error) },
    "Flags and blocks in Redis are out of date; will be retried",
  );
}

export function redisCaughtUp(correlationId: string): void {
  log(
    "NOTICE",
    { evt: "redis_caught_up", cat: "ops", correlationId },
    "Redis is up to date again: revocations, blocks and flags",
  );
}
