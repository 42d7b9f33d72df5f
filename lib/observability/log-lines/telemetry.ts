import { isRedisSkipped } from "../../platform/redis-transport/breaker.js";
import { errorFields, log } from "../logger.js";

/** Not logged if Redis was skipped, so that an outage does not flood the log. */
export function batchDropped(count: number, error: unknown): void {
  if (isRedisSkipped(error)) return;
  log(
    "WARN",
    { evt: "telemetry_batch_dropped", cat: "telemetry", data: { count, ...errorFields(error) } },
    "Request events could not be written to Redis",
  );
}

export function entriesUnreadable(correlationId: string, count: number, error: unknown): void {
  log(
    "WARN",
    {
      evt: "telemetry_entries_unreadable",
      cat: "telemetry",
      correlationId,
      data: { count, ...errorFields(error) },
    },
    "Skipped invalid entries in the event stream",
  );
}

export function takeOverFailed(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "drain_take_over_failed", cat: "telemetry", correlationId, data: errorFields(error) },
    "Take-over drain after a reply failed",
  );
}

/** The scraped totals are then those of the last drain. */
export function scrapeUndrained(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "scrape_undrained", cat: "telemetry", correlationId, data: errorFields(error) },
    "Drain before the scrape failed",
  );
}

/** What an operator looks up then misses the newest requests. */
export function findUndrained(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "find_undrained", cat: "telemetry", correlationId, data: errorFields(error) },
    "Drain before the lookup failed",
  );
}
