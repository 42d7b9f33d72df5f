import { log } from "../logger.js";

/** One call of a service outside. */
interface ExternalTry {
  correlationId: string;
  service: string;
  operation: string;
  /** Attempts made so far. */
  attempt: number;
  reason: string;
}

/** A service outside is asked again in `delay` ms. */
export function externalRetry({ correlationId, ...data }: ExternalTry & { delay: number }): void {
  log(
    "WARN",
    { evt: "external_retry", cat: "external", correlationId, data },
    "A service outside is asked again",
  );
}

/** A service outside was asked as often as it may be, and did not do it. */
export function externalCallFailed({ correlationId, ...data }: ExternalTry): void {
  log(
    "WARN",
    { evt: "external_call_failed", cat: "external", correlationId, data },
    "A service outside failed",
  );
}

/** A circuit breaker opened or closed by itself. */
export function circuitBreakerChanged(
  correlationId: string,
  service: string,
  outcome: "opened" | "closed",
): void {
  log(
    outcome === "opened" ? "WARN" : "NOTICE",
    { evt: "circuit_breaker_changed", cat: "external", correlationId, data: { service, outcome } },
    `The circuit breaker of ${service} has ${outcome}`,
  );
}
