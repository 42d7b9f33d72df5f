import { errorFields, log } from "../logger.js";

export function sessionsRevoked(correlationId: string, userId: string, ids: string[]): void {
  for (const sessionId of ids) {
    log(
      "INFO",
      { evt: "session_revoked", cat: "auth", correlationId, data: { userId, sessionId } },
      "Session revoked by its user",
    );
  }
}

/** Retried each second. `count` if known. */
export function sessionKeysUndeleted(
  correlationId: string,
  count: number | undefined,
  error: unknown,
): void {
  log(
    "WARN",
    {
      evt: "session_keys_undeleted",
      cat: "auth",
      correlationId,
      data: { count, ...errorFields(error) },
    },
    "Redis keys of revoked sessions not deleted yet; will be retried",
  );
}
