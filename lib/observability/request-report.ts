import type { ErrorCode } from "../errors.js";
import type { Trace } from "../trace.js";
import type { SafeError } from "./safe-error.js";

/** What is told of a request that has ended: all of it may leave the house. */
export interface RequestReport {
  trace: Trace;
  route: string;
  method: string;
  status: number;
  code: ErrorCode | undefined;
  correlationId: string;
  userId: string | undefined;
  /** When its reply was ready, in ms since 1970. */
  endedAtMs: number;
  /** What went wrong, the outermost first; empty where nothing did that is ours. */
  errors: SafeError[];
  /** Where the clock called. */
  checkIn: { path: string; isOk: boolean; durationSeconds: number } | undefined;
}
