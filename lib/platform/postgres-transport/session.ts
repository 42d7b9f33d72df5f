import type { PoolClient } from "pg";
import { PostgresExchange, type WireStatement } from "./exchange.js";
import { isServerError, type SqlResult, type SqlStatement } from "./neon-protocol.js";
import { PreparedStatements } from "./prepared.js";

/** One connection of the pool: what pg's types do not say of it, and what its user has left in it. */
export type PostgresSession = PoolClient & {
  processID: number | null;
  secretKey: number | null;
  prepared: PreparedStatements;
  needsReset: boolean;
};

export function asSession(client: PoolClient): PostgresSession {
  return Object.assign(client as PostgresSession, {
    prepared: new PreparedStatements(),
    needsReset: false,
  });
}

/** Run statements in one round trip; rejects with the first error, after which the rest was skipped. */
export function exchange(
  session: PostgresSession,
  statements: WireStatement[],
): Promise<SqlResult[]> {
  return new Promise((resolve, reject) => {
    session.query(
      new PostgresExchange(
        statements,
        (error, results) => (error ? reject(error) : resolve(results)),
        session.prepared.takeUnneeded(),
      ),
    );
  });
}

export async function runOne(
  session: PostgresSession,
  statement: WireStatement,
): Promise<SqlResult> {
  const [result] = await exchange(session, [statement]);
  if (!result) throw new Error("The server completed no statement.");
  return result;
}

/** Run a statement that is prepared at its first use. */
export async function runPrepared(
  session: PostgresSession,
  statement: SqlStatement,
): Promise<SqlResult> {
  const { prepared } = session;
  const named = prepared.named(statement);
  try {
    const result = await runOne(session, named);
    if (!named.fields) prepared.keep(named, result.fields);
    return result;
  } catch (error) {
    if (!named.fields) prepared.drop(named);
    if (!named.fields || !isStale(error)) throw error;
    prepared.drop(named);
    return runOne(session, statement);
  }
}

/** Leave the session as a new one. */
export async function resetSession(session: PostgresSession): Promise<void> {
  await exchange(session, [{ text: "ROLLBACK", params: [] }]);
  await exchange(session, [{ text: "DISCARD ALL", params: [] }]);
  session.prepared.clear();
  session.needsReset = false;
}

/**
 * True for a prepared statement that is gone or that a migration has made unusable. The server refuses
 * it before it does anything, so repeating it is safe.
 */
function isStale(error: unknown): boolean {
  if (!isServerError(error)) return false;
  const { routine } = error as { routine?: unknown };
  return error.code === "26000" || (error.code === "0A000" && routine === "RevalidateCachedQuery");
}
