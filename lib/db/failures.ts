import { NeonDbError } from "@neondatabase/serverless";
import { AppError } from "../errors.js";
import { causeOf } from "../observability/safe-error.js";

/**
 * Connection lost, too many, shutting down, canceled by a deadline, read-only, serialization, and a
 * password or a database that Postgres does not know.
 */
const passing = /^(08|28|3D|53|57P0|57014|25006|40)/;

/** Postgres's own error, whether drizzle wrapped it (single queries) or not (batches). */
function databaseError(error: unknown): NeonDbError | undefined {
  if (error instanceof NeonDbError) return error;
  if (error instanceof Error && error.cause instanceof NeonDbError) return error.cause;
  return undefined;
}

/**
 * True when Postgres did not answer, or said that it cannot now: nothing is wrong with the request, and
 * the same one may succeed later. Whether a write happened is unknown.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  const cause = databaseError(error);
  if (!cause) return false;
  return cause.sourceError instanceof AppError || passing.test(cause.code ?? "");
}

/**
 * Why Postgres serves nothing although it answers, in words of ours: a setting of ours, or something that
 * we have to repair. Undefined for every other error.
 */
export function refusalOf(error: unknown): string | undefined {
  const state = sqlStateOf(error);
  return refusals.find(([states]) => state?.startsWith(states))?.[1];
}

/** By how the SQLSTATE begins. */
const refusals = [
  ["28", "DATABASE_URL is refused"],
  ["3D", "DATABASE_URL names no database"],
  ["42P01", "not migrated: run db:migrate:up"],
  ["25006", "read-only: it takes no writes"],
  ["53100", "full: it takes no writes"],
  ["53300", "too many connections"],
] as const;

/** The SQLSTATE that Postgres answered with, be it below other errors; undefined where it did not answer. */
function sqlStateOf(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = causeOf(at)) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string" && sqlState.test(code)) return code;
  }
  return undefined;
}

/** Five signs, a digit among them: `EPIPE` is none. */
const sqlState = /^(?=.*\d)[\dA-Z]{5}$/;

/** True when a statement was refused because a row with that unique key is there already. */
export function violatesUnique(error: unknown, constraint: string): boolean {
  const cause = databaseError(error);
  return cause?.code === "23505" && cause.constraint === constraint;
}

/** True when the statement was undone because a part that it needed returned no row (`requiredRow`). */
export function lacksRequiredRow(error: unknown): boolean {
  return databaseError(error)?.code === "22012";
}

/**
 * True when the values of a statement are at fault, one that is missing among them, so that the same one
 * would be refused again.
 */
export function isDataRefused(error: unknown): boolean {
  return /^(22|23502)/.test(databaseError(error)?.code ?? "");
}

/** True when a row belongs to no partition. */
export function isPartitionMissing(error: unknown): boolean {
  const cause = databaseError(error);
  return cause?.code === "23514" && cause.message.includes("no partition of relation");
}

/** Postgres's absence as the caller shall see it: 503, repeat in a few seconds. */
export function databaseUnavailable(cause: unknown): AppError {
  return new AppError("service_unavailable", { cause, retryAfterSeconds: 5 });
}
