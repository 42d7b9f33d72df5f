import { errorFields, log } from "../logger.js";

export function redisUnavailable(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "redis_unavailable", cat: "redis", correlationId, data: errorFields(error) },
    "Redis does not answer; continuing without it",
  );
}

/** Call it once until writes succeed again. */
export function redisRefusesWrites(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "redis_refuses_writes", cat: "redis", correlationId, data: errorFields(error) },
    "Redis refuses writes; sessions, blocks and flags are read from Postgres",
  );
}

/** `statement` contains no values. */
export function slowStatement(
  correlationId: string | undefined,
  statement: string,
  durationMs: number,
): void {
  log(
    "WARN",
    {
      evt: "slow_statement",
      cat: "db",
      correlationId,
      data: { duration: Math.round(durationMs), statement },
    },
    "Slow SQL statement",
  );
}
