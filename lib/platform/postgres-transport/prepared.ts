import { createHash } from "node:crypto";
import type { WireStatement } from "./exchange.js";
import type { SqlField, SqlStatement } from "./neon-protocol.js";

const statementsMax = 256;

/**
 * The statements that are prepared on one connection, most recently used last. A name is the hash of the
 * statement's text, so that no other statement can have it, whichever client has prepared it.
 */
export class PreparedStatements {
  readonly #byText = new Map<string, { name: string; fields: SqlField[] }>();
  #unneeded: string[] = [];

  has(text: string): boolean {
    return this.#byText.has(text);
  }

  /** `statement` under its name; one without `fields` is new and has to be kept or dropped. */
  named(statement: SqlStatement): WireStatement {
    const known = this.#byText.get(statement.text);
    if (!known) return { ...statement, name: nameOf(statement.text) };
    this.#byText.delete(statement.text);
    this.#byText.set(statement.text, known);
    return { ...statement, ...known };
  }

  keep({ text, name = "" }: WireStatement, fields: SqlField[]): void {
    this.#byText.set(text, { name, fields });
    if (this.#byText.size <= statementsMax) return;
    for (const [oldest, { name }] of this.#byText) {
      this.#byText.delete(oldest);
      this.#unneeded.push(name);
      return;
    }
  }

  drop({ text, name = "" }: WireStatement): void {
    this.#byText.delete(text);
    this.#unneeded.push(name);
  }

  /** Names that the next exchange has to close on the server. */
  takeUnneeded(): string[] {
    if (this.#unneeded.length === 0) return none;
    const names = this.#unneeded;
    this.#unneeded = [];
    return names;
  }

  clear(): void {
    this.#byText.clear();
    this.#unneeded = [];
  }
}

const none: string[] = [];

const nameOf = (text: string) => createHash("sha256").update(text).digest("base64url");
