import { log } from "../logger.js";

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
