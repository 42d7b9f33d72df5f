import type { Context } from "../context.js";
import type { Endpoint } from "./endpoint.js";

export type Work = () => Promise<unknown>;

export interface Exchange {
  request: Request;
  url: URL;
  ctx: Context;
  /** Headers of the reply, also of an error. */
  headers: Record<string, string>;
  deferred: Work[];
}

/** A request whose endpoint is known. */
export interface Call extends Exchange {
  endpoint: Endpoint;
  /** The values of the template's `:name` segments. */
  params: Record<string, string>;
}
