import { errorFields, log } from "../logger.js";

export function cronPartFailed(correlationId: string, operation: string, error: unknown): void {
  log(
    "ERROR",
    {
      evt: "tick_part_failed",
      cat: "cron",
      correlationId,
      data: { operation, ...errorFields(error) },
    },
    "A part of a cron job failed",
  );
}

export function cronLeaseLost(correlationId: string, operation: string): void {
  log(
    "WARN",
    { evt: "cron_lease_lost", cat: "cron", correlationId, data: { operation } },
    "A cron job lost its lease before it finished",
  );
}

export function heartbeatFailed(correlationId: string, reason: string): void {
  log(
    "WARN",
    { evt: "heartbeat_failed", cat: "cron", correlationId, data: { reason } },
    "Heartbeat to the cron monitor failed",
  );
}
