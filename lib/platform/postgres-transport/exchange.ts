import type { Connection, Submittable } from "pg";
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

/** Statements in one round trip, with one Sync: an error skips the rest. Rows are not converted, unlike in pg's Query. */
export class PostgresExchange implements Submittable {
  readonly #results: SqlResult[] = [];
  #fields: SqlField[] = [];
  #rows: (string | null)[][] = [];

  constructor(
    private readonly statements: WireStatement[],
    private readonly onDone: (error: Error | undefined, results: SqlResult[]) => void,
    private readonly unneededNames: string[] = [],
  ) {
    this.#fields = statements[0]?.fields ?? [];
  }

  submit(connection: Connection): void {
    connection.stream.cork();
    for (const name of this.unneededNames) connection.close({ type: "S", name }, true);
    for (const { text, params, name = "", fields } of this.statements) {
      if (!fields) connection.parse({ text, name, types: [] }, true);
      connection.bind({ statement: name, values: params }, true);
      if (!fields) connection.describe({ type: "P" }, true);
      connection.execute(null, true);
    }
    connection.sync();
    connection.stream.uncork();
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
    this.onDone(error, this.#results);
  }

  handleReadyForQuery(): void {
    this.onDone(undefined, this.#results);
  }

  #finish(tag: string): void {
    this.#results.push({ fields: this.#fields, rows: this.#rows, ...parseCommandTag(tag) });
    this.#fields = this.statements[this.#results.length]?.fields ?? [];
    this.#rows = [];
  }
}
