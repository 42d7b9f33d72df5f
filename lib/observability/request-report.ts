import type { ErrorCode } from "../errors.js";
import type { Trace } from "../trace.js";
import type { SafeError } from "./safe-error.js";

/** Leaves our systems: nothing personal except the user ID. */
export interface RequestReport {
  trace: Trace;
  route: string;
  method: string;
  status: number;
  code: ErrorCode | undefined;
  correlationId: string;
  userId: string | undefined;
  /** When the reply was ready, in ms since 1970. */
  endedAtMs: number;
  /** Outermost first; empty without `internal_error` and `service_unavailable`, and beyond the limits per minute. */
  errors: SafeError[];
  checkIn: { path: string; isOk: boolean; durationSeconds: number } | undefined;
}
