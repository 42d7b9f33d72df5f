import type { Sql } from "./record.js";

/** Run a repeatable statement outside a transaction; a deadlock with other traffic is tried again. */
export async function runAlone(sql: Sql, statement: string, attemptsLeft = 3): Promise<void> {
  await dropInvalidIndexes(sql, statement);
  try {
    await sql.query(statement);
  } catch (error) {
    if (attemptsLeft <= 1 || !hasCode(error) || error.code !== "40P01") throw error;
    await runAlone(sql, statement, attemptsLeft - 1);
  }
}

/**
 * An interrupted CREATE INDEX CONCURRENTLY leaves an index that is never used, and IF NOT EXISTS takes
 * it for the real one. Source: PostgreSQL, CREATE INDEX, "Building Indexes Concurrently".
 */
async function dropInvalidIndexes(sql: Sql, statement: string): Promise<void> {
  const rows = await sql`
    SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND position(c.relname IN ${statement}) > 0`;
  for (const { name } of rows) await sql.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
}

/** True for an error of the server, false for one on the way to it. */
export function hasCode(error: unknown): error is Error & { code: string } {
  return error instanceof Error && typeof (error as { code?: unknown }).code === "string";
}
