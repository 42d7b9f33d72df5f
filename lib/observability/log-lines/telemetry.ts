import { isRedisSkipped } from "../../platform/redis-transport/breaker.js";
import { errorFields, log } from "../logger.js";

/**
 * A batch of request events was not taken by Redis: their own lines are in the log all the same. Silent
 * while Redis is skipped, so that an outage does not flood the log.
 */
export function batchDropped(count: number, error: unknown): void {
  if (isRedisSkipped(error)) return;
  log(
    "WARN",
    { evt: "telemetry_batch_dropped", cat: "telemetry", data: { count, ...errorFields(error) } },
    "Request events were not taken by Redis",
  );
}

/** Something in the stream of events is no batch of ours; it was left out. */
export function entriesUnreadable(correlationId: string, count: number, error: unknown): void {
  log(
    "WARN",
    {
      evt: "telemetry_entries_unreadable",
      cat: "telemetry",
      correlationId,
      data: { count, ...errorFields(error) },
    },
    "Entries of the stream of events are unreadable",
  );
}

/** A request could not drain the events in the clock's place. */
export function takeOverFailed(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "drain_take_over_failed", cat: "telemetry", correlationId, data: errorFields(error) },
    "Events could not be drained after a reply",
  );
}

/** A scrape could not drain first: what it tells is as old as the last drain. */
export function scrapeUndrained(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "scrape_undrained", cat: "telemetry", correlationId, data: errorFields(error) },
    "Events could not be drained before a scrape",
  );
}
