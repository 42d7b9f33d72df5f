import { errorFields, log } from "../logger.js";

export function alertChanged(
  correlationId: string,
  data: { rule: string; label: string; state: "firing" | "resolved"; reason: string },
): void {
  log(
    "NOTICE",
    { evt: `alert_${data.state}`, cat: "alerts", correlationId, data },
    data.state === "firing" ? "Alert firing" : "Alert resolved",
  );
}

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
  error?: unknown;
}

export function noticeSent({ correlationId, ...data }: NoticeTry): void {
  log("INFO", { evt: "notice_sent", cat: "alerts", correlationId, data }, "Notice sent");
}

/** Retried in `delay` seconds. */
export function noticeRetried({
  correlationId,
  error,
  ...fields
}: FailedTry & { delay: number }): void {
  const data = { ...fields, ...(error === undefined ? {} : errorFields(error)) };
  log(
    "WARN",
    { evt: "notice_retried", cat: "alerts", correlationId, data },
    "Notice failed, will be retried",
  );
}

/** Now a dead letter: its own route rejected it, or its payload is invalid. */
export function noticeFailed({ correlationId, error, ...fields }: FailedTry): void {
  const data = { ...fields, ...(error === undefined ? {} : errorFields(error)) };
  log(
    "ERROR",
    { evt: "notice_failed", cat: "alerts", correlationId, data },
    "Notice rejected by the channel",
  );
}

export function noticesExpired(correlationId: string, count: number): void {
  log(
    "ERROR",
    { evt: "notices_expired", cat: "alerts", correlationId, data: { count } },
    "Notices expired undelivered",
  );
}

/** No channel is configured, so this log line is the only notification. */
export function noticeUnaddressed({ correlationId, ...data }: NoticeTry): void {
  log(
    "NOTICE",
    { evt: "notice_unaddressed", cat: "alerts", correlationId, data },
    "No channel is configured for this alert",
  );
}

/** `reason`: why a Postgres that answers cannot serve. */
export function databaseDown(
  correlationId: string,
  data: { outcome: string; count: number; reason: string | undefined },
): void {
  log(
    "ERROR",
    { evt: "database_down", cat: "alerts", correlationId, data },
    "Postgres cannot serve; alerts cannot be evaluated",
  );
}
