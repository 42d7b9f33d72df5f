import type { Trace } from "../trace.js";

export interface AskingRequest {
  correlationId: string;
  trace?: Trace | undefined;
}
