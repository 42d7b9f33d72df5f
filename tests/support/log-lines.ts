import { beforeEach } from "vitest";
import { installLogStream } from "../../lib/observability/logger.js";
import { record } from "./secrets-seen.js";

export interface LogLines {
  /** The lines since the test began, as they were written. */
  written(): string[];
  /** The same, read as JSON; all, or those of one event. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever it expects to be there
  read(evt?: string): any[];
}

/** Collect what each test of this file logs, in place of stdout. */
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
