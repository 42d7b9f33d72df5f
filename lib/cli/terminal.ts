import process from "node:process";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { emailAddress } from "./checks.js";
import { UsageError } from "./failures.js";
import { brokenAtSpaces } from "./text.js";

export interface Terminal {
  /** False when stdin is piped. */
  isInteractive: boolean;
  /** Prompt for a line; `hidden` turns echo off. Without a terminal, reads the next line of stdin. */
  ask(question: string, options?: { hidden?: boolean }): Promise<string>;
  /** On stderr, like the prompts. */
  show(text: string): void;
}

/** Prompts go to stderr, so that stdout has only the command's output. */
export function openTerminal(): Terminal {
  let lines: AsyncIterator<string> | undefined;
  return {
    isInteractive: process.stdin.isTTY === true,
    show: (text) => void process.stderr.write(`${brokenAtSpaces(text)}\n`),
    async ask(question, { hidden = false } = {}) {
      if (process.stdin.isTTY) return readLine(question, hidden);
      lines ??= createInterface({ input: process.stdin })[Symbol.asyncIterator]();
      const { value, done } = await lines.next();
      if (done || value === "") throw new UsageError(`stdin ended before: ${question}`);
      return value;
    },
  };
}

const triesMax = 5;

/**
 * Asks again, in a terminal, until `problemOf` finds nothing; throws `UsageError` after 5 times. The next line of a pipe is the
 * answer to another question, so there the first problem is the last.
 */
export async function askUntilValid(
  { ask, show, isInteractive }: Terminal,
  question: string,
  problemOf: (typed: string) => string | undefined,
  options?: { hidden: boolean },
): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    const typed = await ask(question, options);
    const problem = problemOf(typed);
    if (!problem) return typed;
    if (tries === triesMax || !isInteractive) throw new UsageError(problem);
    show(problem);
  }
}

/** An empty line is not a try. */
export function askCode(terminal: Terminal, question: string, options?: { hidden: boolean }) {
  const problemOf = (typed: string) => (typed ? undefined : "Enter the code.");
  return askUntilValid(terminal, question, problemOf, options);
}

/** Before a password is asked for. */
export function askEmail(terminal: Terminal): Promise<string> {
  return askUntilValid(terminal, "E-mail", (typed) => {
    const problem = emailAddress(typed);
    return problem && `E-mail ${problem}.`;
  });
}

function readLine(question: string, hidden: boolean): Promise<string> {
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (!hidden) process.stderr.write(chunk);
      done();
    },
  });
  // Created first: it turns off the terminal's own echo.
  const reader = createInterface({ input: process.stdin, output, terminal: true });
  process.stderr.write(`${question}: `);
  return new Promise((resolve, reject) => {
    reader.once("line", (line) => {
      // Before `close`, which emits its event at once.
      resolve(line.trim());
      reader.close();
      if (hidden) process.stderr.write("\n");
    });
    reader.once("SIGINT", () => reader.close());
    reader.once("close", () => reject(new UsageError("Cancelled.", { code: "cancelled" })));
  });
}
