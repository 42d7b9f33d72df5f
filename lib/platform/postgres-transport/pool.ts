import { userInfo } from "node:os";
import { defaults, Pool } from "pg";
import { hostAndPortOf, parseDatabaseUrl } from "../../database-url.js";
import { Lease } from "./lease.js";
import {
  beginStatement,
  isServerError,
  type ServerError,
  type SqlBackend,
} from "./neon-protocol.js";
import {
  asSession,
  detectPooler,
  exchange,
  type PostgresSession,
  runOne,
  runPrepared,
} from "./session.js";
import { isPlainRead, leavesSessionState, withoutLeadingComment } from "./session-state.js";

/** A statement waits for the others on its connection, so few share one. */
const sharersMax = 4;

type OnLease = (error: Error | undefined, lease?: Lease) => void;

/**
 * A single statement is prepared once per connection, except behind a pooler. Prepared reads of one turn share connections.
 * Session state is discarded before reuse. After `deadlineMs` or an abort, the statement is cancelled and the connection
 * closed, unless others share it. Connections are replaced after an outage, and after a read-only error: after a failover
 * an old connection may still lead to the replica.
 */
export function postgresPool(
  connectionString: string,
  {
    deadlineMs,
    connectMs = 2000,
    connectionsMax = 20,
  }: { deadlineMs?: number; connectMs?: number; connectionsMax?: number } = {},
): SqlBackend & { reconnect(): Promise<number>; close(): Promise<void> } {
  const { username, searchParams } = parseDatabaseUrl(connectionString);
  // As libpq does; pg uses only the variable USER, which services may lack.
  if (!username && !searchParams.has("user")) defaults.user ||= userInfo().username;
  const pool = new Pool({
    connectionString,
    max: connectionsMax,
    pipeline: true,
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

  const gathering = new Map<string | undefined, OnLease[]>();
  let lastLeased: PostgresSession | undefined;

  /** Callers with the same `readText` in one turn of the event loop share a connection on which it is prepared. */
  function lease(readText: string | undefined, onLease: OnLease): void {
    const gathered = gathering.get(readText);
    if (gathered && gathered.length < sharersMax) {
      gathered.push(onLease);
      return;
    }
    const isShareable = (session: PostgresSession | undefined) =>
      readText !== undefined && session?.isShared === false && session.prepared.has(readText);
    const opensConnection = pool.idleCount === 0 && pool.totalCount < connectionsMax;
    const sharers = [onLease];
    // The next connection is probably like the last one. If it is not, the others have to wait for one again.
    if (isShareable(lastLeased) && !opensConnection) {
      gathering.set(readText, sharers);
      process.nextTick(() => gathering.delete(readText));
    }
    acquire((error, session) => {
      if (gathering.get(readText) === sharers) gathering.delete(readText);
      lastLeased = session;
      const others = error || isShareable(session) ? [] : sharers.splice(1);
      const leased = session && new Lease(session, sharers.length);
      for (const sharer of sharers) sharer(error, leased);
      for (const other of others) lease(undefined, other);
    });
  }

  function withSession<T>(
    work: (session: PostgresSession) => Promise<T>,
    signal: AbortSignal | undefined,
    readText?: string,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let used: Lease | undefined;
      let isSettled = false;
      const settle = () => {
        isSettled = true;
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        used?.leave();
      };
      const giveUp = (reason: unknown) => {
        settle();
        reject(reason);
      };
      const onAbort = () => giveUp(signal?.reason);
      const onDeadline = () => giveUp(timeoutError(place, deadlineMs));
      const timer = deadlineMs === undefined ? undefined : setTimeout(onDeadline, deadlineMs);
      if (signal?.aborted) return onAbort();
      signal?.addEventListener("abort", onAbort);

      lease(readText, (error, leased) => {
        if (isSettled) {
          leased?.finish();
          return leased?.leave();
        }
        if (!leased) {
          settle();
          return reject(isRefusal(error) ? error : unreachable(place, error));
        }
        used = leased;
        const { session } = leased;
        const working =
          session.isShared === undefined
            ? detectPooler(session).then(() => {
                if (isSettled) throw new Error("The call was already rejected.");
                return work(session);
              })
            : work(session);
        working.then(
          (result) => {
            leased.finish();
            if (isSettled) return;
            settle();
            resolve(result);
          },
          (failure: unknown) => {
            const isReadOnly = isServerError(failure) && failure.code === "25006";
            if (isReadOnly) renewConnections();
            leased.finish(isRefusal(failure) && failure.severity !== "FATAL" && !isReadOnly);
            if (isSettled) return;
            settle();
            reject(isRefusal(failure) ? failure : unreachable(place, failure));
          },
        );
      });
    });
  }

  return {
    query: (statement, signal) => {
      // A prepared statement would keep the comment of its first caller.
      const text = withoutLeadingComment(statement.text);
      const run = (session: PostgresSession) => {
        if (session.prepared.has(text) || !leavesSessionState(text)) {
          return runPrepared(session, { ...statement, text });
        }
        session.needsDiscard = true;
        return runOne(session, statement);
      };
      return withSession(run, signal, isPlainRead(text) ? text : undefined);
    },
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
    /**
     * Close idle connections now and the others after their statements, and open a new one. How many there were. Rejects when
     * the server is unreachable.
     */
    async reconnect() {
      const connections = pool.totalCount;
      renewed = { upTo: connectionsMade, atMs: performance.now() };
      await new Promise<void>((resolve, reject) => {
        acquire((error, session) => {
          if (!session) return reject(unreachable(place, error));
          session.release();
          resolve();
        });
      });
      return connections;
    },
    close: () => pool.end(),
  };
}

/** The server replied with an error of the statement. */
function isRefusal(error: unknown): error is ServerError {
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
