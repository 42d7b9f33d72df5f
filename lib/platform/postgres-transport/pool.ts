import { userInfo } from "node:os";
import { defaults, Pool } from "pg";
import { hostAndPortOf, parseDatabaseUrl } from "../../database-url.js";
import { cancelStatement } from "./cancel.js";
import { beginStatement, isServerError, type SqlBackend } from "./neon-protocol.js";
import {
  asSession,
  detectPooler,
  exchange,
  type PostgresSession,
  resetSession,
  runOne,
  runPrepared,
} from "./session.js";
import { leavesSessionState, withoutLeadingComment } from "./session-state.js";

/**
 * A single statement is prepared once per connection, except behind a pooler. Session state is discarded before reuse.
 * After `deadlineMs` or an abort, the statement is cancelled and the connection closed. Connections are replaced after an
 * outage, and after a read-only error: after a failover an old connection may still lead to the replica.
 */
export function postgresPool(
  connectionString: string,
  {
    deadlineMs,
    connectMs = 2000,
    connectionsMax = 20,
  }: { deadlineMs?: number; connectMs?: number; connectionsMax?: number } = {},
): SqlBackend & { close(): Promise<void> } {
  const { username, searchParams } = parseDatabaseUrl(connectionString);
  // As libpq does; pg uses only the variable USER, which services may lack.
  if (!username && !searchParams.has("user")) defaults.user ||= userInfo().username;
  const pool = new Pool({
    connectionString,
    max: connectionsMax,
    idleTimeoutMillis: 30_000,
    connectionTimeoutMillis: connectMs,
  });
  // Broken idle connections are already removed, and statements in progress reject.
  pool.on("error", () => {});
  let connectionsMade = 0;
  let renewed = { upTo: 0, atMs: Number.NEGATIVE_INFINITY };
  /** At most once a second: while Postgres stays read-only, reads keep their connections. */
  function renewConnections() {
    const nowMs = performance.now();
    if (nowMs - renewed.atMs >= 1000) renewed = { upTo: connectionsMade, atMs: nowMs };
  }
  pool.on("connect", (client) => asSession(client, ++connectionsMade).on("error", () => {}));
  const place = hostAndPortOf(connectionString);

  function acquire(
    callback: (error: Error | undefined, session: PostgresSession | undefined) => void,
  ) {
    pool.connect((error, client) => {
      const session = client as PostgresSession | undefined;
      if (!session || session.number > renewed.upTo) return callback(error, session);
      session.release(true);
      acquire(callback);
    });
  }

  function withSession<T>(
    work: (session: PostgresSession) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let session: PostgresSession | undefined;
      let isSettled = false;
      const settle = () => {
        isSettled = true;
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      const giveUp = (reason: unknown) => {
        settle();
        reject(reason);
        const givenUp = session;
        // Cancel first: a pooler forgets the statement of a disconnected client.
        if (givenUp) cancelStatement(givenUp).finally(() => givenUp.release(true));
      };
      const onAbort = () => giveUp(signal?.reason);
      const onDeadline = () => giveUp(timeoutError(place, deadlineMs));
      const timer = deadlineMs === undefined ? undefined : setTimeout(onDeadline, deadlineMs);
      if (signal?.aborted) return onAbort();
      signal?.addEventListener("abort", onAbort);

      acquire((error, used) => {
        if (isSettled) return used?.release();
        if (!used) {
          settle();
          return reject(isRefusal(error) ? error : unreachable(place, error));
        }
        session = used;
        const working =
          used.isShared === undefined
            ? detectPooler(used).then(() => {
                if (isSettled) throw new Error("The call was already rejected.");
                return work(used);
              })
            : work(used);
        working.then(
          (result) => {
            if (isSettled) return;
            settle();
            resolve(result);
            releaseSession(used);
          },
          (failure: unknown) => {
            if (isSettled) return;
            settle();
            reject(isRefusal(failure) ? failure : unreachable(place, failure));
            const isReadOnly = isServerError(failure) && failure.code === "25006";
            if (isReadOnly) renewConnections();
            if (isReadOnly || !isRefusal(failure)) used.release(true);
            else releaseSession(used);
          },
        );
      });
    });
  }

  return {
    query: (statement, signal) =>
      withSession((session) => {
        // A prepared statement would keep the comment of its first caller.
        const text = withoutLeadingComment(statement.text);
        if (session.prepared.has(text) || !leavesSessionState(text)) {
          return runPrepared(session, { ...statement, text });
        }
        session.needsDiscard = true;
        return runOne(session, statement);
      }, signal),
    batch: (statements, options, signal) =>
      withSession(async (session) => {
        const begin = { text: beginStatement(options), params: [] };
        const commit = { text: "COMMIT", params: [] };
        session.needsRollback = true;
        session.needsDiscard = statements.some(({ text }) => leavesSessionState(text));
        const results = await exchange(session, [begin, ...statements, commit]);
        session.needsRollback = false;
        return results.slice(1, -1);
      }, signal),
    close: () => pool.end(),
  };
}

function releaseSession(session: PostgresSession): void {
  if (session.needsRollback || session.needsDiscard) {
    resetSession(session).then(
      () => session.release(),
      () => session.release(true),
    );
  } else session.release();
}

/** The server replied with an error and the connection stays usable. */
function isRefusal(error: unknown): boolean {
  return isServerError(error) && !/^(57P0|08|53300)/.test(error.code);
}

function unreachable(place: string, cause: unknown): Error {
  // A refused "localhost" is an AggregateError without a message.
  const { message, code } = cause as { message?: string; code?: string };
  const reason = message || code || String(cause);
  return new Error(`Postgres at ${place} is unreachable: ${reason}`, { cause });
}

function timeoutError(place: string, deadlineMs: number | undefined): Error {
  const error = new Error(`No answer from Postgres at ${place} within ${deadlineMs} ms`);
  error.name = "TimeoutError";
  return error;
}
