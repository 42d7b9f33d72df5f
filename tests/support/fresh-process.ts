import { afterAll, expect, vi } from "vitest";
import { resetEnvironment } from "./environment.js";
import { restoreGlobals } from "./globals.js";
import { secretsInRecords } from "./secrets-seen.js";
import { installWaitUntil, settled } from "./wait-until.js";

// A worker runs many files in one process: each begins with what a new process has.
restoreGlobals();
vi.useRealTimers();
vi.restoreAllMocks();
resetEnvironment();
installWaitUntil();

/** Whatever a file's tests were about, nothing secret may stand in what they left behind. */
afterAll(async () => {
  await settled();
  expect(secretsInRecords(), "a secret that a test used stands in a record").toEqual([]);
});
