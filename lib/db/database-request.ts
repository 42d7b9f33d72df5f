import type { NeonFetch } from "../platform/platform.js";
import type { Trace } from "../trace.js";

export interface DatabaseRequest {
  /** Of another database than that of the process. */
  transport?: NeonFetch | undefined;
  correlationId: string;
  /** For statements that may take longer than those of a request. Only HTTPS heeds it: a socket has a deadline of its own. */
  timeoutMs?: number | undefined;
  trace?: Trace | undefined;
}
