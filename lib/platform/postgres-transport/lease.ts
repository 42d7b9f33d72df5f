import { cancelStatement } from "./cancel.js";
import { type PostgresSession, resetSession } from "./session.js";

/** A pooled connection while its callers wait for their statements: one caller, or several that share it. */
export class Lease {
  #isUsable = true;

  constructor(
    readonly session: PostgresSession,
    private running: number,
    private waiting = running,
  ) {}

  /** A statement has ended, or was not sent. Before `leave`, unless its caller gave up. */
  finish(isUsable = true): void {
    this.running--;
    this.#isUsable &&= isUsable;
    this.#endIfUnused();
  }

  /** A caller has its result or gave up. Its statement is not cancelled while others wait: it could be one of theirs. */
  leave(): void {
    this.waiting--;
    this.#endIfUnused();
  }

  #endIfUnused(): void {
    if (this.waiting > 0) return;
    const { session } = this;
    if (this.running > 0) {
      const { stream } = session.connection;
      // Cancel first: a pooler forgets the statement of a disconnected client. Of several, the next starts: it is cancelled too.
      cancelStatement(session).then(() => {
        if (this.running <= 1) stream.destroy();
      });
      setTimeout(() => stream.destroy(), 2000).unref();
      this.#isUsable = false;
    } else if (!this.#isUsable) session.release(true);
    else if (session.needsRollback || session.needsDiscard) {
      resetSession(session).then(
        () => session.release(),
        () => session.release(true),
      );
    } else session.release();
  }
}
