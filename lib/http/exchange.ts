import type { Context } from "../context.js";
import type { Endpoint } from "./endpoint.js";

export type Work = () => Promise<unknown>;

/** A request before an endpoint is chosen. */
export interface Exchange {
  request: Request;
  url: URL;
  ctx: Context;
  /** Headers of the reply, also of an error. */
  headers: Record<string, string>;
  /** Work for after the reply. */
  deferred: Work[];
}

/** A request with the endpoint that answers it. */
export interface Call extends Exchange {
  endpoint: Endpoint;
  /** The values of the template's `:name` segments. */
  params: Record<string, string>;
}
