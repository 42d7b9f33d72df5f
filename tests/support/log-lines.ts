import { beforeEach } from "vitest";
import { installLogStream } from "../../lib/observability/logger.js";
import { record } from "./secrets-seen.js";

export interface LogLines {
  /** The raw lines since the test started. */
  written(): string[];
  /** The parsed lines: all, or those of one event. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads any expected field
  read(evt?: string): any[];
}

/** Collect the log lines of each test of this file, instead of writing them to stdout. */
export function useLogLines(): LogLines {
  const lines: string[] = [];
  beforeEach(() => {
    lines.length = 0;
    installLogStream({
      write(line) {
        lines.push(line);
        record(line);
      },
    });
  });
  return {
    written: () => lines,
    read(evt) {
      const parsed = lines.map((line) => JSON.parse(line));
      return evt === undefined ? parsed : parsed.filter((line) => line.evt === evt);
    },
  };
}
