import { log } from "../logger.js";

/** The anchor outside the database, for `audit verify`. */
export function auditSealed(
  correlationId: string,
  { lastId, count, hash }: { lastId: number; count: number; hash: string },
): void {
  log(
    "SECURITY",
    { evt: "audit_sealed", cat: "audit", correlationId, data: { lastId, count, hash } },
    "Audit log sealed",
  );
}

export function auditBroken(
  correlationId: string,
  finding: { reason: string; lastId: number; count: number },
): void {
  log(
    "SECURITY",
    { evt: "audit_chain_broken", cat: "audit", correlationId, data: finding },
    "Audit log does not match its seals",
  );
}
