import { errorFields, log } from "../logger.js";

/** Security events have no row in the table; their lines are in the log all the same. */
export function securityEventsDropped(correlationId: string, count: number, error: unknown): void {
  log(
    "WARN",
    {
      evt: "security_events_dropped",
      cat: "security",
      correlationId,
      data: { count, ...errorFields(error) },
    },
    "Security events were not written to the table",
  );
}

/** A read or a refused use of break-glass that Postgres has no row of: this line is the record. */
export function breakGlassUnrecorded(correlationId: string, error: unknown): void {
  log(
    "ERROR",
    { evt: "break_glass_unrecorded", cat: "security", correlationId, data: errorFields(error) },
    "A use of the break-glass token is not in the audit log",
  );
}
