import { NeonDbError } from "@neondatabase/serverless";
import { AppError } from "../errors.js";
import { causeOf } from "../observability/safe-error.js";

/** Temporary failures of a statement: connection, authentication, resources, I/O, shutdown, read-only, conflict, timeout. */
const temporarySqlStates = /^(08|28|3D|53|58|57P0|57014|25006|40|55P03)/;

/** Refuses or ends the connection, whatever the SQLSTATE: 55000 of a closed database, those of poolers. */
const connectionSeverities = /^(FATAL|PANIC)$/;

function databaseError(error: unknown): NeonDbError | undefined {
  if (error instanceof NeonDbError) return error;
  if (error instanceof Error && error.cause instanceof NeonDbError) return error.cause;
  return undefined;
}

export const isDatabaseError = (error: unknown): boolean => databaseError(error) !== undefined;

/** The same request may succeed later; whether a write happened is unknown. */
export function isDatabaseUnavailable(error: unknown): boolean {
  const cause = databaseError(error);
  if (!cause) return false;
  const { sourceError, severity = "", code } = cause;
  // Without a code it is an error of Neon's endpoint, not of a statement.
  if (sourceError instanceof AppError || !code) return true;
  return connectionSeverities.test(severity) || temporarySqlStates.test(code);
}

/** Why Postgres answers but cannot serve; undefined for any other error. */
export function databaseRefusalReason(error: unknown): string | undefined {
  const state = sqlStateOf(error);
  return refusals.find(([states]) => state?.startsWith(states))?.[1];
}

const refusals = [
  ["28", "DATABASE_URL is refused"],
  ["3D", "DATABASE_URL names no database"],
  ["55000", "the database accepts no connections"],
  ["42P01", "not migrated: run db:migrate:up"],
  ["25006", "read-only: writes are refused"],
  ["53100", "full: writes are refused"],
  ["53300", "too many connections"],
] as const;

function sqlStateOf(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = causeOf(at)) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string" && sqlStatePattern.test(code)) return code;
  }
  return undefined;
}

/** Must contain a digit: `EPIPE` is no SQLSTATE. */
const sqlStatePattern = /^(?=.*\d)[\dA-Z]{5}$/;

export function violatesUnique(error: unknown, constraint: string): boolean {
  const cause = databaseError(error);
  return cause?.code === "23505" && cause.constraint === constraint;
}

/** The account was erased while the request ran. */
export function lacksAccount(error: unknown): boolean {
  const cause = databaseError(error);
  return cause?.code === "23503" && /_user_id_fkey$/.test(cause.constraint ?? "");
}

export function lacksRequiredRow(error: unknown): boolean {
  return databaseError(error)?.code === "22012";
}

/** The values are invalid, so a retry would fail again. True also for `lacksRequiredRow`. */
export function isDataInvalid(error: unknown): boolean {
  return /^(22|23502)/.test(databaseError(error)?.code ?? "");
}

/** Another transaction holds the lock (`lock_timeout`). Nothing was changed. */
export function isLockUnavailable(error: unknown): boolean {
  return databaseError(error)?.code === "55P03";
}

export function isPartitionMissing(error: unknown): boolean {
  const cause = databaseError(error);
  return cause?.code === "23514" && cause.message.includes("no partition of relation");
}

export function databaseUnavailable(cause: unknown): AppError {
  return new AppError("service_unavailable", { cause, retryAfterSeconds: 5 });
}
