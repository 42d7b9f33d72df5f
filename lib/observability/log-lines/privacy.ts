import { errorFields, log } from "../logger.js";

/** The client has an incomplete document. */
export function exportBroken(correlationId: string, error: unknown): void {
  log(
    "ERROR",
    { evt: "export_broken", cat: "privacy", correlationId, data: errorFields(error) },
    "Data export broke off",
  );
}

/** `reason`: `due`, `guest` or `replay`. */
export function accountErased(
  correlationId: string,
  data: { userId: string; reason: string },
): void {
  log("NOTICE", { evt: "account_erased", cat: "privacy", correlationId, data }, "Account erased");
}

export function purgeFailed(correlationId: string, userId: string, error: unknown): void {
  log(
    "ERROR",
    { evt: "purge_failed", cat: "privacy", correlationId, data: { userId, ...errorFields(error) } },
    "Account not erased, will be tried again in an hour",
  );
}

/** The database is older than these erasures: it was restored. */
export function erasuresMissing(correlationId: string, count: number): void {
  log(
    "ERROR",
    { evt: "erasures_missing", cat: "privacy", correlationId, data: { count } },
    "Postgres lacks erasures that were made: it was restored. Erasing again",
  );
}

export function erasureRetried(correlationId: string, delay: number, reason: string): void {
  log(
    "WARN",
    { evt: "erasure_retried", cat: "privacy", correlationId, data: { delay, reason } },
    "Redis keys of an erased account not deleted yet; will be retried",
  );
}

/** The database is older than these requests and cancellations: it was restored. */
export function deletionsMissing(
  correlationId: string,
  data: { requested: number; cancelled: number },
): void {
  log(
    "ERROR",
    { evt: "deletions_missing", cat: "privacy", correlationId, data },
    "Postgres lacks requests or cancellations of deletions: it was restored. Repeating them",
  );
}

export function deletionUncopied(correlationId: string, delay: number, reason: string): void {
  log(
    "WARN",
    { evt: "deletion_uncopied", cat: "privacy", correlationId, data: { delay, reason } },
    "Request or cancellation of a deletion not copied to Redis yet; will be retried",
  );
}
