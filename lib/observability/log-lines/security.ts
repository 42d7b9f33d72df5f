import { errorFields, log } from "../logger.js";

export function securityEventsDropped(correlationId: string, count: number, error: unknown): void {
  log(
    "WARN",
    {
      evt: "security_events_dropped",
      cat: "security",
      correlationId,
      data: { count, ...errorFields(error) },
    },
    "Security events were not written to Postgres",
  );
}

/** This line and the security event are then the only record. */
export function breakGlassUnrecorded(correlationId: string, error: unknown): void {
  log(
    "ERROR",
    { evt: "break_glass_unrecorded", cat: "security", correlationId, data: errorFields(error) },
    "Break-glass use could not be recorded in the audit log",
  );
}
