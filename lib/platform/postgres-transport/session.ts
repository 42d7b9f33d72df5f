import type { PoolClient } from "pg";
import { PostgresExchange, type WireStatement } from "./exchange.js";
import { isServerError, type SqlResult, type SqlStatement } from "./neon-protocol.js";
import { PreparedStatements } from "./prepared.js";

export type PostgresSession = PoolClient & {
  number: number;
  processID: number | null;
  secretKey: number | null;
  prepared: PreparedStatements;
  /** True behind a pooler in transaction mode; undefined until checked. */
  isShared: boolean | undefined;
  needsRollback: boolean;
  /** Settings, locks or temporary tables may be left. */
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

/** Sets `isShared`. A pooler gives each client a cancel key of its own, so the process ID differs from the server's. */
export async function detectPooler(session: PostgresSession): Promise<void> {
  const { rows } = await runOne(session, { text: "SELECT pg_backend_pid()", params: [] });
  session.isShared = Number(rows[0]?.[0]) !== session.processID;
}

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
  if (!result) throw new Error("The server returned no result.");
  return result;
}

/** Prepares on first use. Not behind a pooler: the server connection may differ each time. */
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

export async function resetSession(session: PostgresSession): Promise<void> {
  await exchange(session, [{ text: "ROLLBACK", params: [] }]);
  session.needsRollback = false;
  if (!session.needsDiscard) return;
  await exchange(session, [{ text: "DISCARD ALL", params: [] }]);
  session.prepared.clear();
  session.needsDiscard = false;
}

/** The name is taken or unknown, so another client uses the connection. Nothing ran: a retry is safe. */
function showsOtherClient(error: unknown): boolean {
  return isServerError(error) && (error.code === "42P05" || error.code === "26000");
}

/** A migration invalidated the prepared statement. Nothing ran. */
function isStale(error: unknown): boolean {
  if (!isServerError(error)) return false;
  const { routine } = error as { routine?: unknown };
  return error.code === "0A000" && routine === "RevalidateCachedQuery";
}
