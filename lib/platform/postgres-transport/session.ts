import type { PoolClient } from "pg";
import { PostgresExchange, type WireStatement } from "./exchange.js";
import { isServerError, type SqlResult, type SqlStatement } from "./neon-protocol.js";
import { PreparedStatements } from "./prepared.js";

/** One connection of the pool: what pg's types do not say of it, and what its user has left in it. */
export type PostgresSession = PoolClient & {
  /** Connections of a pool are numbered as they are made. */
  number: number;
  processID: number | null;
  secretKey: number | null;
  prepared: PreparedStatements;
  /** True where a pooler gives the server's connection to other clients too; undefined until it is asked. */
  isShared: boolean | undefined;
  /** A transaction may be open that failed. */
  needsRollback: boolean;
  /** A statement may have left settings, locks, temporary tables or the like. */
  needsDiscard: boolean;
};

export function asSession(client: PoolClient, number: number): PostgresSession {
  return Object.assign(client as PostgresSession, {
    number,
    prepared: new PreparedStatements(),
    isShared: undefined,
    needsRollback: false,
    needsDiscard: false,
  });
}

/**
 * Find out whether the session goes through a pooler. To cancel, a pooler has to give each client a key
 * of its own, and so not the process ID of the server's process.
 */
export async function findPooler(session: PostgresSession): Promise<void> {
  if (session.isShared !== undefined) return;
  const { rows } = await runOne(session, { text: "SELECT pg_backend_pid()", params: [] });
  session.isShared = Number(rows[0]?.[0]) !== session.processID;
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

/**
 * Run a statement that is prepared at its first use. Through a pooler it is not: the next statement may
 * come to a connection on which others have prepared, perhaps before a migration changed its columns.
 */
export async function runPrepared(
  session: PostgresSession,
  statement: SqlStatement,
): Promise<SqlResult> {
  const { prepared } = session;
  if (session.isShared) return runOne(session, statement);
  const named = prepared.named(statement);
  try {
    const result = await runOne(session, named);
    if (!named.fields) prepared.keep(named, result.fields);
    return result;
  } catch (error) {
    if (showsOtherClient(error)) {
      session.isShared = true;
      prepared.clear();
      return runOne(session, statement);
    }
    if (!named.fields) prepared.drop(named);
    if (!named.fields || !isStale(error)) throw error;
    prepared.drop(named);
    return runOne(session, statement);
  }
}

/** Leave the session as a new one. */
export async function resetSession(session: PostgresSession): Promise<void> {
  await exchange(session, [{ text: "ROLLBACK", params: [] }]);
  session.needsRollback = false;
  if (!session.needsDiscard) return;
  await exchange(session, [{ text: "DISCARD ALL", params: [] }]);
  session.prepared.clear();
  session.needsDiscard = false;
}

/**
 * True when the name of a statement is taken already, or is gone, on a connection of which we know what
 * is prepared there. The server refuses before it runs anything, so repeating it is safe.
 */
function showsOtherClient(error: unknown): boolean {
  return isServerError(error) && (error.code === "42P05" || error.code === "26000");
}

/** True for a prepared statement that a migration has made unusable, which is refused as well. */
function isStale(error: unknown): boolean {
  if (!isServerError(error)) return false;
  const { routine } = error as { routine?: unknown };
  return error.code === "0A000" && routine === "RevalidateCachedQuery";
}
