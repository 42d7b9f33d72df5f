import type { NeonFetch } from "../platform/platform.js";
import type { Trace } from "../trace.js";

export interface DatabaseRequest {
  /** Of another database than that of the process. */
  transport?: NeonFetch | undefined;
  correlationId: string;
  trace?: Trace | undefined;
}
