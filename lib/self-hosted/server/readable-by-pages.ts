import { env } from "../../env.js";
import { corsHeaders, isOriginRefused, preflightHeaders } from "../../http/cors.js";

const methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/**
 * Adds the CORS headers of the pipeline to a reply that the server itself makes. A preflight of an allowed origin
 * gets 204 instead: after any other status the browser does not send the request that shows the error.
 */
export function readableByPages(request: Request, reply: Response): Response {
  const [url, environment] = [new URL(request.url), env()];
  const cors = corsHeaders(request, url, environment);
  if (request.headers.has("access-control-request-method") && request.method === "OPTIONS") {
    if (!isOriginRefused(request, url, environment)) {
      return new Response(null, {
        status: 204,
        headers: { ...cors, ...preflightHeaders(methods) },
      });
    }
  }
  for (const [name, value] of Object.entries(cors)) reply.headers.set(name, value);
  return reply;
}
