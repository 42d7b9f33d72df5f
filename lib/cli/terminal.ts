import process from "node:process";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { UsageError } from "./failures.js";

/** Whoever sits before the command line, or what is piped into it. */
export interface Terminal {
  /** True when somebody can be asked. */
  isInteractive: boolean;
  /** Ask for a line; what is typed to `hidden` is not shown. Piped, the next line is the answer. */
  ask(question: string, options?: { hidden?: boolean }): Promise<string>;
}

/** Questions go to stderr, so that stdout holds the answer of the command alone. */
export function openTerminal(): Terminal {
  let lines: AsyncIterator<string> | undefined;
  return {
    isInteractive: process.stdin.isTTY === true,
    async ask(question, { hidden = false } = {}) {
      if (process.stdin.isTTY) return typed(question, hidden);
      lines ??= createInterface({ input: process.stdin })[Symbol.asyncIterator]();
      const { value, done } = await lines.next();
      if (done || value === "") throw new UsageError(`stdin ended before this: ${question}`);
      return value;
    },
  };
}

function typed(question: string, hidden: boolean): Promise<string> {
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (!hidden) process.stderr.write(chunk);
      done();
    },
  });
  // First of all, for it turns the terminal's own echo off.
  const reader = createInterface({ input: process.stdin, output, terminal: true });
  process.stderr.write(`${question}: `);
  return new Promise((resolve, reject) => {
    reader.once("line", (line) => {
      reader.close();
      if (hidden) process.stderr.write("\n");
      resolve(line.trim());
    });
    reader.once("SIGINT", () => {
      reader.close();
      reject(new UsageError("Given up."));
    });
  });
}
