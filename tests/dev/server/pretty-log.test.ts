import { expect, it } from "vitest";
import { prettyLog } from "../../../dev/server/pretty-log.js";
import type { LogStream } from "../../../lib/observability/logger.js";

it("takes a line that is urgent", () => {
  const stream: LogStream = prettyLog();
  expect(() => stream.write('{"level":"ERROR","msg":"of a test"}\n', true)).not.toThrow();
});
