import { AppError } from "../../errors.js";
import { preflightHeaders } from "../cors.js";
import type { Endpoint } from "../endpoint.js";
import type { Exchange } from "../exchange.js";
import { Reply } from "../reply.js";
import { type Endpoints, isMethod, type Resource } from "../resource.js";

/** The reply to OPTIONS, a CORS preflight or not. */
export function preflight({ endpoints }: Resource): Reply {
  const allow = allowed(endpoints);
  return new Reply(204, undefined, { Allow: allow, ...preflightHeaders(allow) });
}

/** The endpoint of the request's method; HEAD is GET. Throws `method_not_allowed` with `Allow`. */
export function requireEndpoint({ endpoints }: Resource, { request }: Exchange): Endpoint {
  const method = request.method === "HEAD" ? "GET" : request.method;
  const endpoint = isMethod(method) ? endpoints[method] : undefined;
  if (endpoint) return endpoint;
  throw new AppError("method_not_allowed", { headers: { Allow: allowed(endpoints) } });
}

function allowed(endpoints: Endpoints): string {
  return [...Object.keys(endpoints), ...(endpoints.GET ? ["HEAD"] : []), "OPTIONS"].join(", ");
}
