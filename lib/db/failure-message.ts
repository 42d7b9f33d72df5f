import { NeonDbError } from "@neondatabase/serverless";
import { DrizzleQueryError } from "drizzle-orm";

/** For an operator: why the database cannot be reached, or what it said. */
export function failureMessage(error: unknown): string {
  // The message of this one is the SQL.
  const said = error instanceof DrizzleQueryError ? (error.cause ?? error) : error;
  if (said instanceof NeonDbError && said.code === undefined) {
    return `The database cannot be reached: ${rootMessage(said)}`;
  }
  return said instanceof Error ? said.message : String(said);
}

function rootMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A refused "localhost" has one error per address.
  if (error instanceof AggregateError && error.errors.length > 0)
    return rootMessage(error.errors[0]);
  const inner = error instanceof NeonDbError ? error.sourceError : error.cause;
  return inner instanceof Error ? rootMessage(inner) : error.message;
}
