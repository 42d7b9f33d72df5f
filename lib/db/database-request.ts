import type { Trace } from "../trace.js";

export interface DatabaseRequest {
  correlationId: string;
  trace?: Trace | undefined;
}
