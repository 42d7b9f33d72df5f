import {
  type BatchOptions,
  beginStatement,
  type SqlBackend,
  type SqlResult,
  type SqlStatement,
} from "../../platform/postgres-transport/neon-protocol.js";
import { leavesSessionState } from "../../platform/postgres-transport/session-state.js";
import { parseReply, type Reply, requestMessages } from "./postgres-messages.js";
import { type PostgresThread, startPostgresThread } from "./postgres-thread.js";

export interface EmbeddedPostgres {
  backend: SqlBackend;
  /** A tar, for `snapshot`. */
  dump(): Promise<Blob>;
  close(): Promise<void>;
}

/**
 * PGlite in memory or in `directory` (one process at a time). One session: statements run one after another. After a
 * timeout or crash the statement fails and the database is reopened; one in memory is lost.
 */
export async function openEmbeddedPostgres(options: {
  directory?: string;
  snapshot?: Blob | File;
  timeLimitMs?: number;
}): Promise<EmbeddedPostgres> {
  const { directory, snapshot, timeLimitMs = 15_000 } = options;
  let thread = await startPostgresThread({ directory, snapshot: await snapshot?.arrayBuffer() });
  let queue: Promise<unknown> = Promise.resolve();

  function inTurn<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const turn = queue.then(() => {
      signal?.throwIfAborted();
      return task();
    });
    queue = turn.catch(() => {});
    return signal ? orAborted(turn, signal) : turn;
  }

  async function exchange(statements: SqlStatement[]): Promise<Reply> {
    const messages = requestMessages(statements);
    const limit = startTimeLimit(timeLimitMs);
    try {
      const reply = thread.run("exchange", messages);
      return parseReply(await Promise.race([reply, limit.passed]));
    } catch (error) {
      // Not an SQL error: the thread hangs or its WebAssembly crashed.
      await restart();
      throw error;
    } finally {
      limit.stop();
    }
  }

  async function restart(): Promise<void> {
    await thread.kill();
    thread = directory ? await startPostgresThread({ directory, snapshot: undefined }) : lostThread;
  }

  async function clearSession({ isIdle }: Reply, statements: SqlStatement[]): Promise<void> {
    if (!isIdle) await exchange([{ text: "ROLLBACK", params: [] }]);
    if (statements.some(({ text }) => leavesSessionState(text))) {
      await exchange([{ text: "DISCARD ALL", params: [] }]);
    }
  }

  async function run(sent: SqlStatement[], from: SqlStatement[]): Promise<SqlResult[]> {
    const reply = await exchange(sent);
    await clearSession(reply, from);
    if (reply.error) throw reply.error;
    return reply.results;
  }

  return {
    backend: {
      query: (statement, signal) =>
        inTurn(async () => onlyResult(await run([statement], [statement])), signal),
      batch: (statements, batch, signal) =>
        inTurn(
          async () => (await run(inTransaction(statements, batch), statements)).slice(1, -1),
          signal,
        ),
    },
    dump: () =>
      inTurn(async () => new Blob([await thread.run("dump")], { type: "application/x-tar" })),
    close: () =>
      inTurn(async () => {
        await thread.run("close");
        await thread.kill();
      }),
  };
}

function inTransaction(statements: SqlStatement[], options: BatchOptions): SqlStatement[] {
  return [
    { text: beginStatement(options), params: [] },
    ...statements,
    { text: "COMMIT", params: [] },
  ];
}

function onlyResult([result]: SqlResult[]): SqlResult {
  if (!result) throw new Error("The embedded Postgres returned no result.");
  return result;
}

const lostThread: PostgresThread = {
  async run(task) {
    if (task === "close") return new Uint8Array();
    throw new Error("The embedded Postgres stopped; its in-memory data is lost.");
  },
  async kill() {},
};

class TimeLimitError extends Error {
  readonly severity = "ERROR";
  readonly code = "57014";

  constructor() {
    super("canceling statement due to statement timeout");
  }
}

function startTimeLimit(ms: number): { passed: Promise<never>; stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimeLimitError()), ms);
  });
  return { passed, stop: () => clearTimeout(timer) };
}

function orAborted<T>(turn: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    turn.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
