import { errorFields, log } from "../logger.js";

/** Somebody ended sessions of their own. */
export function sessionsRevoked(correlationId: string, userId: string, ids: string[]): void {
  for (const sessionId of ids) {
    log(
      "INFO",
      { evt: "session_revoked", cat: "auth", correlationId, data: { userId, sessionId } },
      "A session was ended by its owner",
    );
  }
}

/** Sessions have ended whose keys Redis could not delete: it is repeated each second. `count`: if known. */
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
    "The keys of revoked sessions could not be deleted yet",
  );
}
