import type { Sql } from "./record.js";

/** First drops invalid indexes that the statement names. Retries after a deadlock. */
export async function runOutsideTransaction(
  sql: Sql,
  statement: string,
  attemptsLeft = 3,
): Promise<void> {
  await dropInvalidIndexes(sql, statement);
  try {
    await sql.query(statement);
  } catch (error) {
    if (attemptsLeft <= 1 || !hasCode(error) || error.code !== "40P01") throw error;
    await runOutsideTransaction(sql, statement, attemptsLeft - 1);
  }
}

/** IF NOT EXISTS accepts the invalid index of an interrupted CREATE INDEX CONCURRENTLY (PostgreSQL docs). */
async function dropInvalidIndexes(sql: Sql, statement: string): Promise<void> {
  const rows = await sql`
    SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND position(c.relname IN ${statement}) > 0`;
  for (const { name } of rows) await sql.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
}

/** With Neon's driver: an error of the server, not of the connection. */
export function hasCode(error: unknown): error is Error & { code: string } {
  return error instanceof Error && typeof (error as { code?: unknown }).code === "string";
}
