import { userInfo } from "node:os";
import { defaults, Pool } from "pg";
import { parseDatabaseUrl, placeOf } from "../../database-url.js";
import { cancelStatement } from "./cancel.js";
import { beginStatement, isServerError, type SqlBackend } from "./neon-protocol.js";
import {
  asSession,
  exchange,
  findPooler,
  type PostgresSession,
  resetSession,
  runOne,
  runPrepared,
} from "./session.js";
import { leavesSessionState, withoutLeadingComment } from "./session-state.js";

/**
 * A `SqlBackend` over pooled connections to a real PostgreSQL, with the operations guide's figures.
 *
 * Single statements are prepared once per connection, unless a pooler is found. What a statement leaves in
 * its session is discarded before the next use. `deadlineMs` bounds a call from its start to its answer; when it has
 * passed, or the signal aborts, the server is asked to cancel and the connection is given up.
 * Connections are made anew by themselves after the server was away, and after it refused a write as
 * read-only: one that was made before a failover may still lead to the replica.
 */
export function postgresPool(
  connectionString: string,
  { deadlineMs }: { deadlineMs?: number } = {},
): SqlBackend & { close(): Promise<void> } {
  const { username, searchParams } = parseDatabaseUrl(connectionString);
  // As libpq does; pg goes by the variable USER alone, which services lack.
  if (!username && !searchParams.has("user")) defaults.user ||= userInfo().username;
  const pool = new Pool({
    connectionString,
    max: 20,
    idleTimeoutMillis: 30_000,
    connectionTimeoutMillis: 2000,
  });
  // An idle connection that breaks has already left the pool, and one in use rejects its statement.
  pool.on("error", () => {});
  let connectionsMade = 0;
  let renewed = { upTo: 0, atMs: Number.NEGATIVE_INFINITY };
  /** Once a second at most: where Postgres stays read-only, reads go on over what there is. */
  function renewConnections() {
    const nowMs = performance.now();
    if (nowMs - renewed.atMs >= 1000) renewed = { upTo: connectionsMade, atMs: nowMs };
  }
  pool.on("connect", (client) => asSession(client, ++connectionsMade).on("error", () => {}));
  const place = placeOf(connectionString);

  function take(
    callback: (error: Error | undefined, session: PostgresSession | undefined) => void,
  ) {
    pool.connect((error, client) => {
      const session = client as PostgresSession | undefined;
      if (!session || session.number > renewed.upTo) return callback(error, session);
      session.release(true);
      take(callback);
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
        // A pooler that sees its client go first forgets whose statement is to be cancelled.
        if (givenUp) cancelStatement(givenUp).finally(() => givenUp.release(true));
      };
      const onAbort = () => giveUp(signal?.reason);
      const onDeadline = () => giveUp(timeoutError(place, deadlineMs));
      const timer = deadlineMs === undefined ? undefined : setTimeout(onDeadline, deadlineMs);
      if (signal?.aborted) return onAbort();
      signal?.addEventListener("abort", onAbort);

      take((error, used) => {
        if (isSettled) return used?.release();
        if (!used) {
          settle();
          return reject(isRefusal(error) ? error : unreachable(place, error));
        }
        session = used;
        findPooler(used)
          .then(() => {
            if (isSettled) throw new Error("The caller was told already that it failed.");
            return work(used);
          })
          .then(
            (result) => {
              if (isSettled) return;
              settle();
              resolve(result);
              giveBack(used);
            },
            (failure: unknown) => {
              if (isSettled) return;
              settle();
              reject(isRefusal(failure) ? failure : unreachable(place, failure));
              const isReadOnly = isServerError(failure) && failure.code === "25006";
              if (isReadOnly) renewConnections();
              if (isReadOnly || !isRefusal(failure)) used.release(true);
              else giveBack(used);
            },
          );
      });
    });
  }

  return {
    query: (statement, signal) =>
      withSession((session) => {
        // Prepared once, a statement would keep the comment of whoever was first.
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

function giveBack(session: PostgresSession): void {
  if (session.needsRollback || session.needsDiscard) {
    resetSession(session).then(
      () => session.release(),
      () => session.release(true),
    );
  } else session.release();
}

/** True when the server answered with an error and goes on serving. */
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
