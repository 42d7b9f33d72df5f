import { neonConfig } from "@neondatabase/serverless";
import { afterAll, expect, vi } from "vitest";
import "../../lib/db/database.js";
import { resetEnvironment } from "./environment.js";
import { restoreGlobals } from "./globals.js";
import { secretsInRecords } from "./secrets-seen.js";
import { installWaitUntil, settled } from "./wait-until.js";

// A worker runs many files in one process: each starts with the state of a new process.
restoreGlobals();
vi.useRealTimers();
vi.restoreAllMocks();
resetEnvironment();
installWaitUntil();

/** Set by lib/db/database.ts; migrations and some tests replace it. */
const { fetchFunction } = neonConfig;
afterAll(() => {
  neonConfig.fetchFunction = fetchFunction;
});

/** No test may leave a secret in a log line or a record. */
afterAll(async () => {
  await settled();
  expect(secretsInRecords(), "secrets found in log lines or records").toEqual([]);
});
