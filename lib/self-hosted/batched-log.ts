import process from "node:process";
import { pino } from "pino";
import type { LogStream } from "../observability/logger.js";

const charactersMax = 64 * 1024;

/**
 * The lines of one turn of the event loop are written together, urgent ones at once. All are written before the process
 * exits; SIGKILL or a crash of Node.js loses those of the current turn that are not urgent.
 */
export function batchedLog(): LogStream {
  const stdout = pino.destination({ fd: 1, sync: true });
  let lines = "";
  const flush = () => {
    if (lines === "") return;
    stdout.write(lines);
    lines = "";
  };
  process.on("exit", flush);
  return {
    write(line, isUrgent) {
      if (lines === "" && !isUrgent) setImmediate(flush);
      lines += line;
      if (isUrgent || lines.length > charactersMax) flush();
    },
  };
}
