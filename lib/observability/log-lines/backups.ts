import { errorFields, log } from "../logger.js";

export function backupCheckFailed(
  correlationId: string,
  data: { operation: string; reason: string },
): void {
  log(
    "ERROR",
    { evt: "backup_check_failed", cat: "backup", correlationId, data },
    "A check of the backups failed",
  );
}

/** `operation`: a step or a proof of the drill. */
export function restoreDrillFailed(
  correlationId: string,
  data: { operation: string; reason: string },
): void {
  log(
    "ERROR",
    { evt: "restore_drill_failed", cat: "backup", correlationId, data },
    "A part of the restore drill failed",
  );
}

export function restoreDrillStepRetried(
  correlationId: string,
  operation: string,
  error: unknown,
): void {
  log(
    "WARN",
    {
      evt: "restore_drill_retry",
      cat: "backup",
      correlationId,
      data: { operation, ...errorFields(error) },
    },
    "A step of the restore drill failed and will be repeated",
  );
}

/** Of drills that did not delete their copy. */
export function drillLeftoversFound(correlationId: string, count: number): void {
  log(
    "WARN",
    { evt: "restore_drill_leftover", cat: "backup", correlationId, data: { count } },
    "Copies of earlier restore drills were left behind; they are deleted now",
  );
}

export function restoreDrillSucceeded(
  correlationId: string,
  data: { rtoSeconds: number; rpoSeconds: number },
): void {
  log(
    "NOTICE",
    { evt: "restore_drill_succeeded", cat: "backup", correlationId, data },
    "The restore drill succeeded",
  );
}
