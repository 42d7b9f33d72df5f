import { errorFields, log } from "../logger.js";

export function redisUnavailable(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "redis_unavailable", cat: "redis", correlationId, data: errorFields(error) },
    "Redis does not answer; continuing without it",
  );
}

/** Postgres, which counts while Redis is down, does not answer either. */
export function signInDelayKept(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "sign_in_delay_kept", cat: "db", correlationId, data: errorFields(error) },
    "The delay of sign-ins could not be ended; it ends by itself",
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

export function postgresReconnected(correlationId: string, count: number): void {
  log(
    "NOTICE",
    { evt: "postgres_reconnected", cat: "db", correlationId, data: { count } },
    "Replaced the connections to Postgres on the order of an operator",
  );
}
