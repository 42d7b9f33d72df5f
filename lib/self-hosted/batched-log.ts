import process from "node:process";
import { pino } from "pino";
import type { LogStream } from "../observability/logger.js";

const charactersMax = 64 * 1024;

/**
 * The lines of one turn of the event loop are written together, urgent ones at once, and all before the process exits.
 * SIGKILL, a signal without a handler or a crash of Node.js loses those of the current turn that are not urgent. A full
 * disk loses lines, but does not end the process.
 */
export function batchedLog(): LogStream {
  // Bounds what is kept while the disk is full.
  const stdout = pino.destination({ fd: 1, sync: true, maxLength: 1024 * 1024 });
  // Without a listener a failed write throws.
  stdout.on("error", () => {});
  let lines = "";
  const flush = () => {
    const batch = lines;
    lines = "";
    if (batch !== "") stdout.write(batch);
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
