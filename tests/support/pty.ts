import { spawn } from "node:child_process";
import process from "node:process";
import { shellWord } from "../../lib/operations/shell-word.js";
import type { CommandOutcome } from "./ops-command.js";

/** What a person types when the text appears after the last answer. */
export type Typed = [prompt: string, keys: string];

/** Keys of a terminal. */
export const key = { enter: "\r", interrupt: "\x03", endOfFile: "\x04" } as const;

/**
 * Run Node.js on a terminal of its own (`script` of util-linux) and type. `out` is the screen, with the terminal's control
 * sequences removed; `error` is empty.
 */
export function onTerminal(
  args: string[],
  typed: Typed[],
  env: Record<string, string>,
): Promise<CommandOutcome> {
  const command = [process.execPath, ...args].map(shellWord).join(" ");
  // Standard input stays open: `script` passes its end on as Ctrl-D.
  const child = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
    env: { PATH: process.env.PATH, TERM: "xterm", SHELL: "/bin/sh", ...env },
  });
  const left = [...typed];
  let out = "";
  let answered = 0;
  child.stdout.on("data", (chunk) => {
    out += chunk;
    for (let next = left[0]; next; next = left[0]) {
      const at = out.indexOf(next[0], answered);
      if (at === -1) return;
      answered = at + next[0].length;
      left.shift();
      child.stdin.write(next[1]);
    }
  });
  return new Promise((settle, reject) => {
    child.once("error", reject);
    child.once("close", (status) => {
      child.stdin.destroy();
      settle({ status, out: screenOf(out), error: "" });
    });
  });
}

function screenOf(written: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the control sequences of a terminal.
  return written.replace(/\x1b\[[\d;?]*[A-Za-z]/g, "").replaceAll("\r", "");
}
