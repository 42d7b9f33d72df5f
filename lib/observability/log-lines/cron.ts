import { errorFields, log } from "../logger.js";

/** A part of what the clock asks for failed; the other parts were done all the same. */
export function cronPartFailed(correlationId: string, operation: string, error: unknown): void {
  log(
    "ERROR",
    {
      evt: "tick_part_failed",
      cat: "cron",
      correlationId,
      data: { operation, ...errorFields(error) },
    },
    "A part of the clock's work failed",
  );
}

/** Work for the clock took so long that somebody else was given its lease. */
export function cronLeaseLost(correlationId: string, operation: string): void {
  log(
    "WARN",
    { evt: "cron_lease_lost", cat: "cron", correlationId, data: { operation } },
    "A job of the clock was taken over before it had finished",
  );
}

/** The service that watches the clock from outside did not take a sign of life. */
export function heartbeatFailed(correlationId: string, reason: string): void {
  log(
    "WARN",
    { evt: "heartbeat_failed", cat: "cron", correlationId, data: { reason } },
    "The heartbeat was not taken",
  );
}
