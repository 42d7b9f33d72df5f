import type { Context } from "../context.js";

export type Work = () => Promise<unknown>;

/** What the route has made of a request before any endpoint is asked. */
export interface Exchange {
  request: Request;
  url: URL;
  ctx: Context;
  params: Record<string, string>;
  /** Headers that the reply carries whether the pass succeeds or throws. */
  headers: Record<string, string>;
  /** What is to be done after the reply. */
  deferred: Work[];
}
