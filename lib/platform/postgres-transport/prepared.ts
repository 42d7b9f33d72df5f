import { createHash } from "node:crypto";
import type { WireStatement } from "./exchange.js";
import type { SqlField, SqlStatement } from "./neon-protocol.js";

const statementsMax = 256;

/** LRU of the statements prepared on one connection. Names are hashes of the text, so clients cannot collide. */
export class PreparedStatements {
  readonly #byText = new Map<string, { name: string; fields: SqlField[] }>();
  #unneeded: string[] = [];

  has(text: string): boolean {
    return this.#byText.has(text);
  }

  /** Without `fields` it is new: call `keep` or `drop` afterwards. */
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

  takeUnneeded(): string[] {
    if (this.#unneeded.length === 0) return noNames;
    const names = this.#unneeded;
    this.#unneeded = [];
    return names;
  }

  clear(): void {
    this.#byText.clear();
    this.#unneeded = [];
  }
}

const noNames: string[] = [];

const nameOf = (text: string) => createHash("sha256").update(text).digest("base64url");
