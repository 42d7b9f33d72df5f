import type { Trace } from "../trace.js";

/** The request that statements are sent for. */
export interface AskingRequest {
  correlationId: string;
  trace?: Trace | undefined;
}
