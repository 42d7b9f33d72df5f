import { type Connection, Query, type Submittable } from "pg";
import {
  parseCommandTag,
  type SqlField,
  type SqlResult,
  type SqlStatement,
} from "./neon-protocol.js";

/** With `fields` it was prepared under `name` before; else it is parsed now. */
export interface WireStatement extends SqlStatement {
  name?: string;
  fields?: SqlField[] | undefined;
}

/** The types declare its methods as properties, which cannot be overridden. */
const PgQuery = Query as new (text: string) => object;

/**
 * Statements in one round trip, with one Sync: an error skips the rest. Rows are not converted. On a
 * pipelined connection pg accepts only a Query, so it is one and overrides all its handlers.
 */
export class PostgresExchange extends PgQuery implements Submittable {
  /** Set by pg to stop the timer of `query_timeout`. */
  declare callback?: () => void;
  readonly #results: SqlResult[] = [];
  #fields: SqlField[] = [];
  #rows: (string | null)[][] = [];

  constructor(
    private readonly statements: WireStatement[],
    private readonly onDone: (error: Error | undefined, results: SqlResult[]) => void,
    private readonly unneededNames: string[] = [],
  ) {
    super("");
    this.#fields = statements[0]?.fields ?? [];
  }

  /** Those of one turn of the event loop are one write. */
  submit(connection: Connection): void {
    connection.stream.cork();
    process.nextTick(() => connection.stream.uncork());
    for (const name of this.unneededNames) connection.close({ type: "S", name }, true);
    for (const { text, params, name = "", fields } of this.statements) {
      if (!fields) connection.parse({ text, name, types: [] }, true);
      connection.bind({ statement: name, values: params }, true);
      if (!fields) connection.describe({ type: "P" }, true);
      connection.execute(null, true);
    }
    connection.sync();
  }

  handleRowDescription(message: { fields: SqlField[] }): void {
    this.#fields = message.fields;
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    this.#rows.push(message.fields);
  }

  handleCommandComplete(message: { text: string }): void {
    this.#finish(message.text);
  }

  handleEmptyQuery(): void {
    this.#finish("");
  }

  handleCopyInResponse(connection: Connection & { sendCopyFail(reason: string): void }): void {
    connection.sendCopyFail("COPY FROM STDIN is not supported over this protocol");
    // While waiting for COPY data, the server ignores the earlier Sync.
    connection.sync();
  }

  handleCopyData(): void {}

  handleError(error: Error): void {
    this.callback?.();
    this.onDone(error, this.#results);
  }

  handleReadyForQuery(): void {
    this.callback?.();
    // After a failed COPY the server may reply once too often.
    const isComplete = this.#results.length === this.statements.length;
    this.onDone(isComplete ? undefined : new Error("A reply is out of step"), this.#results);
  }

  #finish(tag: string): void {
    this.#results.push({ fields: this.#fields, rows: this.#rows, ...parseCommandTag(tag) });
    this.#fields = this.statements[this.#results.length]?.fields ?? [];
    this.#rows = [];
  }
}
