import process from "node:process";
import { pino } from "pino";
import type { LogStream } from "../observability/logger.js";

const bytesMax = 8 * 1024;

/**
 * The lines of one turn of the event loop are written together, urgent ones at once. All are written before the process
 * exits; SIGKILL or a crash of Node.js loses those of the current turn that are not urgent.
 */
export function batchedLog(): LogStream {
  const stdout = pino.destination({ fd: 1, sync: true, minLength: bytesMax });
  let isScheduled = false;
  const flush = () => {
    isScheduled = false;
    stdout.flushSync();
  };
  process.on("exit", flush);
  return {
    write(line, isUrgent) {
      stdout.write(line);
      if (isUrgent) return flush();
      if (isScheduled) return;
      isScheduled = true;
      setImmediate(flush);
    },
  };
}
