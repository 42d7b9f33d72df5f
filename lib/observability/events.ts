import type { Env } from "../env.js";
import type { AppError, ErrorCode } from "../errors.js";
import { errorFields, log } from "./logger.js";

export interface CompletedRequest {
  correlationId: string;
  method: string;
  path: string;
  ip: string | undefined;
  status: number;
  durationMs: number;
  code: ErrorCode | undefined;
}

/** The one line that every request ends in. */
export function requestCompleted(request: CompletedRequest): void {
  const { correlationId, method, path, ip, status, code } = request;
  const duration = Math.round(request.durationMs * 10) / 10;
  log(
    status >= 500 ? "ERROR" : "INFO",
    {
      evt: "http_request",
      cat: "http",
      correlationId,
      req: { method, path, ip },
      data: { status, duration, code },
    },
    "Request completed",
  );
}

/** A request failed for a reason that is ours or a store's: the detail that the caller must not see. */
export function unexpectedError(correlationId: string, route: string, error: AppError): void {
  log(
    "ERROR",
    {
      evt: "request_failed",
      cat: "http",
      correlationId,
      data: { route, code: error.code, ...errorFields(error.cause ?? error) },
    },
    "Request failed",
  );
}

/** Redis did not answer a request, which went on without it. */
export function redisUnavailable(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "redis_unavailable", cat: "redis", correlationId, data: errorFields(error) },
    "Redis does not answer; the request goes on without it",
  );
}

/** A call of Postgres took long. `statement` is its text, in which no value stands. */
export function slowStatement(
  correlationId: string | undefined,
  statement: string,
  durationMs: number,
): void {
  log(
    "WARN",
    {
      evt: "slow_statement",
      cat: "db",
      correlationId,
      data: { duration: Math.round(durationMs), statement },
    },
    "A statement was slow",
  );
}

/** Sentry does not take what it is sent. Nothing else is affected. */
export function sentryUnavailable(reason: string): void {
  log(
    "WARN",
    { evt: "sentry_unavailable", cat: "trace", data: { reason } },
    "Sentry does not take what it is sent",
  );
}

/** Profiles are asked for, and this build cannot make them. */
export function profilesUnavailable(): void {
  log(
    "INFO",
    { evt: "profiles_unavailable", cat: "trace" },
    "SENTRY_PROFILES_SAMPLE_RATE has no effect: this build has no native profiler",
  );
}

/** Somebody ended sessions of their own. */
export function sessionsRevoked(correlationId: string, userId: string, ids: string[]): void {
  for (const sessionId of ids) {
    log(
      "INFO",
      { evt: "session_revoked", cat: "auth", correlationId, data: { userId, sessionId } },
      "A session was ended by its owner",
    );
  }
}

/** Sessions have ended whose keys Redis could not delete: the sweep of each minute repeats it. */
export function sessionKeysUndeleted(correlationId: string, count: number, error: unknown): void {
  log(
    "WARN",
    {
      evt: "session_keys_undeleted",
      cat: "auth",
      correlationId,
      data: { count, ...errorFields(error) },
    },
    "The keys of revoked sessions could not be deleted yet",
  );
}

/** One try to send a mail: never the address, nor what it says. */
interface MailTry {
  correlationId: string;
  template: string;
  attempt: number;
}

/** The provider has taken a mail. */
export function mailSent({ correlationId, ...data }: MailTry): void {
  log("INFO", { evt: "mail_sent", cat: "mail", correlationId, data }, "Mail sent");
}

/** A mail could not be sent now and is tried again in `delay` seconds. */
export function mailRetried({
  correlationId,
  ...data
}: MailTry & { reason: string; delay: number }): void {
  log("WARN", { evt: "mail_retried", cat: "mail", correlationId, data }, "Mail is tried again");
}

/** A mail will not be sent. */
export function mailFailed({ correlationId, ...data }: MailTry & { reason: string }): void {
  log("ERROR", { evt: "mail_failed", cat: "mail", correlationId, data }, "Mail cannot be sent");
}

/** A mail is not sent on purpose: its address has had enough of them, refuses them, or is gone. */
export function mailWithheld({
  correlationId,
  ...data
}: MailTry & { reason: "budget" | "suppressed" | "no_address" }): void {
  log("NOTICE", { evt: "mail_withheld", cat: "mail", correlationId, data }, "Mail is not sent");
}

/** Mails were dropped that had not been sent when what they told was of no use any more. */
export function mailsExpired(correlationId: string, count: number): void {
  log(
    "WARN",
    { evt: "mails_expired", cat: "mail", correlationId, data: { count } },
    "Mails expired unsent",
  );
}

/** The provider has told that addresses must not be written to any more. */
export function addressSuppressed(correlationId: string, reason: string, count: number): void {
  log(
    "NOTICE",
    { evt: "address_suppressed", cat: "mail", correlationId, data: { reason, count } },
    "No more mail is sent to an address",
  );
}

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

/** One try of a job: never its payload. */
interface JobTry {
  id: string;
  kind: string;
  attempt: number;
  correlationId: string;
}

/** A job failed and is tried again in `delay` seconds. */
export function jobRetried(job: JobTry, delay: number, error: unknown): void {
  const data = { ...factsOf(job), delay, ...errorFields(error) };
  const { correlationId } = job;
  log("WARN", { evt: "job_retried", cat: "job", correlationId, data }, "A job is tried again");
}

/** A job is given up: it waits for an operator. */
export function jobDied(job: JobTry, error: unknown): void {
  const data = { ...factsOf(job), ...errorFields(error) };
  const { correlationId } = job;
  log("ERROR", { evt: "job_dead", cat: "job", correlationId, data }, "A job was given up");
}

const factsOf = ({ id, kind, attempt }: JobTry) => ({ jobId: id, operation: kind, attempt });

/** Rows of the audit log were sealed: this line is the anchor outside of the database. */
export function auditSealed(
  correlationId: string,
  { lastId, count, hash }: { lastId: number; count: number; hash: string },
): void {
  log(
    "SECURITY",
    { evt: "audit_sealed", cat: "audit", correlationId, data: { lastId, count, hash } },
    "The audit log was sealed",
  );
}

/** The audit log is not what was sealed. */
export function auditBroken(
  correlationId: string,
  finding: { reason: string; lastId: number; count: number },
): void {
  log(
    "SECURITY",
    { evt: "audit_chain_broken", cat: "audit", correlationId, data: finding },
    "The audit log is not what was sealed",
  );
}

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

/**
 * A batch of request events was not taken by Redis: their own lines are in the log all the same. Silent
 * while Redis is skipped, so that an outage does not flood the log.
 */
export function batchDropped(count: number, error: unknown): void {
  if (error instanceof Error && error.name === "RedisSkippedError") return;
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

/** A read or a refused use of break-glass that Postgres has no row of: this line is the record. */
export function breakGlassUnrecorded(correlationId: string, error: unknown): void {
  log(
    "ERROR",
    { evt: "break_glass_unrecorded", cat: "security", correlationId, data: errorFields(error) },
    "A use of the break-glass token is not in the audit log",
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

/** Work that a request left for after its reply failed. */
export function workFailed(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "deferred_work_failed", cat: "http", correlationId, data: errorFields(error) },
    "Work after the reply failed",
  );
}

/** Tell once, in one line each, what in the environment works but should not stay. */
export function environmentRead(environment: Env): void {
  for (const warning of environment.warnings.splice(0)) {
    log("WARN", { evt: "environment_warning", cat: "server", data: { warning } }, warning);
  }
}

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

export function noticeSent({ correlationId, ...data }: NoticeTry): void {
  log("INFO", { evt: "notice_sent", cat: "alerts", correlationId, data }, "Notice sent");
}

/** A notice could not be sent now and is tried again in `delay` seconds. */
export function noticeRetried({
  correlationId,
  ...data
}: NoticeTry & { reason: string; delay: number }): void {
  log(
    "WARN",
    { evt: "notice_retried", cat: "alerts", correlationId, data },
    "Notice is tried again",
  );
}

/** A notice is refused for good: what it is sent to is set wrongly. */
export function noticeFailed({ correlationId, ...data }: NoticeTry & { reason: string }): void {
  log("ERROR", { evt: "notice_failed", cat: "alerts", correlationId, data }, "Notice is refused");
}

/** Nobody is set to be told: this line is all there is. */
export function noticeUnaddressed({ correlationId, ...data }: NoticeTry): void {
  log(
    "NOTICE",
    { evt: "notice_unaddressed", cat: "alerts", correlationId, data },
    "Nobody is set to be told of an alert",
  );
}

/** Alerts cannot be evaluated, for Postgres does not answer: told past it. */
export function databaseDown(correlationId: string, outcome: string, count: number): void {
  log(
    "ERROR",
    { evt: "database_down", cat: "alerts", correlationId, data: { outcome, count } },
    "Postgres does not answer; alerts are blind",
  );
}

/** Neither Redis nor Postgres tells the flags and blocks: the process goes by what it knew. */
export function rulesUnreadable(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "rules_unreadable", cat: "ops", correlationId, data: errorFields(error) },
    "Flags and blocks cannot be read; what was last known holds",
  );
}

/** A change of flags or blocks stands in Postgres and not in Redis yet: the clock repeats it. */
export function mirrorUnwritten(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "mirror_unwritten", cat: "ops", correlationId, data: errorFields(error) },
    "Redis does not hold the newest flags and blocks yet",
  );
}
