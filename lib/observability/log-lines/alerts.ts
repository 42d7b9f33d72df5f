import { errorFields, log } from "../logger.js";

/** An alert begins to fire, or ends. */
export function alertChanged(
  correlationId: string,
  data: { rule: string; label: string; state: "firing" | "resolved"; reason: string },
): void {
  log(
    "NOTICE",
    { evt: `alert_${data.state}`, cat: "alerts", correlationId, data },
    data.state === "firing" ? "An alert fires" : "An alert is resolved",
  );
}

/** One try to tell somebody of an alert. */
interface NoticeTry {
  correlationId: string;
  rule: string;
  label: string;
  event: string;
  priority: string;
  channel: string;
  attempt: number;
}

interface FailedTry extends NoticeTry {
  reason: string;
  /** What was thrown, where something was. */
  error?: unknown;
}

export function noticeSent({ correlationId, ...data }: NoticeTry): void {
  log("INFO", { evt: "notice_sent", cat: "alerts", correlationId, data }, "Notice sent");
}

/** A notice could not be sent now and is tried again in `delay` seconds. */
export function noticeRetried({
  correlationId,
  error,
  ...facts
}: FailedTry & { delay: number }): void {
  const data = { ...facts, ...(error === undefined ? {} : errorFields(error)) };
  log(
    "WARN",
    { evt: "notice_retried", cat: "alerts", correlationId, data },
    "Notice is tried again",
  );
}

/** A notice is refused for good: what it is sent to is set wrongly. */
export function noticeFailed({ correlationId, error, ...facts }: FailedTry): void {
  const data = { ...facts, ...(error === undefined ? {} : errorFields(error)) };
  log("ERROR", { evt: "notice_failed", cat: "alerts", correlationId, data }, "Notice is refused");
}

/** Notices were dropped that had reached nobody when it was too late to tell. */
export function noticesExpired(correlationId: string, count: number): void {
  log(
    "ERROR",
    { evt: "notices_expired", cat: "alerts", correlationId, data: { count } },
    "Notices expired undelivered",
  );
}

/** Nobody is set to be told: this line is all there is. */
export function noticeUnaddressed({ correlationId, ...data }: NoticeTry): void {
  log(
    "NOTICE",
    { evt: "notice_unaddressed", cat: "alerts", correlationId, data },
    "Nobody is set to be told of an alert",
  );
}

/** Alerts cannot be evaluated, for Postgres does not serve us: told past it. */
export function databaseDown(correlationId: string, outcome: string, count: number): void {
  log(
    "ERROR",
    { evt: "database_down", cat: "alerts", correlationId, data: { outcome, count } },
    "Postgres does not serve us; alerts are blind",
  );
}
