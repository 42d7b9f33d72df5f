import { errorFields, log } from "../logger.js";

/** Redis did not answer a request, which went on without it. */
export function redisUnavailable(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "redis_unavailable", cat: "redis", correlationId, data: errorFields(error) },
    "Redis does not answer; the request goes on without it",
  );
}

/** Redis answers and takes no writes. Logged once, until it has taken what it refused. */
export function redisRefusesWrites(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "redis_refuses_writes", cat: "redis", correlationId, data: errorFields(error) },
    "Redis refuses writes; sessions, blocks and flags are read from Postgres",
  );
}

/** A call of Postgres took long. `statement` is its text, in which no value stands. */
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
    "A statement was slow",
  );
}
