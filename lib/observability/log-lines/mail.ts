import { errorFields, log } from "../logger.js";

/** One try to send a mail: never the address, nor what it says. */
interface MailTry {
  correlationId: string;
  template: string;
  attempt: number;
}

interface FailedTry extends MailTry {
  reason: string;
  /** What was thrown, where something was. */
  error?: unknown;
}

/** The provider has taken a mail. */
export function mailSent({ correlationId, ...data }: MailTry): void {
  log("INFO", { evt: "mail_sent", cat: "mail", correlationId, data }, "Mail sent");
}

/** A mail could not be sent now and is tried again in `delay` seconds. */
export function mailRetried({
  correlationId,
  error,
  ...facts
}: FailedTry & { delay: number }): void {
  const data = { ...facts, ...(error === undefined ? {} : errorFields(error)) };
  log("WARN", { evt: "mail_retried", cat: "mail", correlationId, data }, "Mail is tried again");
}

/** A mail will not be sent. */
export function mailFailed({ correlationId, error, ...facts }: FailedTry): void {
  const data = { ...facts, ...(error === undefined ? {} : errorFields(error)) };
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
