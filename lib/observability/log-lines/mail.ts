import { errorFields, log } from "../logger.js";

/** Never the address or the content. */
interface MailTry {
  correlationId: string;
  template: string;
  attempt: number;
}

interface FailedTry extends MailTry {
  reason: string;
  error?: unknown;
}

export function mailSent({ correlationId, ...data }: MailTry): void {
  log("INFO", { evt: "mail_sent", cat: "mail", correlationId, data }, "Mail sent");
}

/** `delay` in seconds. */
export function mailRetried({
  correlationId,
  error,
  ...fields
}: FailedTry & { delay: number }): void {
  const data = { ...fields, ...(error === undefined ? {} : errorFields(error)) };
  log(
    "WARN",
    { evt: "mail_retried", cat: "mail", correlationId, data },
    "Mail failed, will be retried",
  );
}

export function mailFailed({ correlationId, error, ...fields }: FailedTry): void {
  const data = { ...fields, ...(error === undefined ? {} : errorFields(error)) };
  log("ERROR", { evt: "mail_failed", cat: "mail", correlationId, data }, "Mail failed permanently");
}

/** Budget of the address used up, address suppressed, or no account with an address. */
export function mailWithheld({
  correlationId,
  ...data
}: MailTry & { reason: "budget" | "suppressed" | "no_address" }): void {
  log("NOTICE", { evt: "mail_withheld", cat: "mail", correlationId, data }, "Mail is not sent");
}

export function mailsExpired(correlationId: string, count: number): void {
  log(
    "WARN",
    { evt: "mails_expired", cat: "mail", correlationId, data: { count } },
    "Mails expired before they were sent",
  );
}

/** After a bounce or complaint reported by the provider. */
export function addressSuppressed(correlationId: string, reason: string, count: number): void {
  log(
    "NOTICE",
    { evt: "address_suppressed", cat: "mail", correlationId, data: { reason, count } },
    "Address suppressed: no more mail is sent to it",
  );
}

/** After a delivery reported by the provider, or by an operator. */
export function suppressionLifted(correlationId: string, reason: "delivered" | "operator"): void {
  log(
    "NOTICE",
    { evt: "suppression_lifted", cat: "mail", correlationId, data: { reason } },
    "Suppression lifted: mail is sent to the address again",
  );
}
