import { log } from "../logger.js";

interface ExternalTry {
  correlationId: string;
  service: string;
  operation: string;
  attempt: number;
  reason: string;
}

/** `delay` in ms. */
export function externalRetry({ correlationId, ...data }: ExternalTry & { delay: number }): void {
  log(
    "WARN",
    { evt: "external_retry", cat: "external", correlationId, data },
    "Retrying a call to an external service",
  );
}

/** All attempts failed. */
export function externalCallFailed({ correlationId, ...data }: ExternalTry): void {
  log(
    "WARN",
    { evt: "external_call_failed", cat: "external", correlationId, data },
    "Call to an external service failed",
  );
}

export function circuitBreakerChanged(
  correlationId: string,
  service: string,
  outcome: "opened" | "closed",
): void {
  log(
    outcome === "opened" ? "WARN" : "NOTICE",
    { evt: "circuit_breaker_changed", cat: "external", correlationId, data: { service, outcome } },
    `Circuit breaker of ${service} ${outcome}`,
  );
}
