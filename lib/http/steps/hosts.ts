import type { Env } from "../../env.js";
import { AppError } from "../../errors.js";
import type { Exchange } from "../exchange.js";
import { isMethod, type Resource } from "../resource.js";

/** Throws `host_not_allowed`, except for an endpoint that is served under any host. */
export function requireAllowedHost(
  { endpoints }: Resource,
  { request: { method }, url, ctx }: Exchange,
): void {
  const name = method === "HEAD" ? "GET" : method;
  const anyHost = isMethod(name)
    ? endpoints[name]?.anyHost
    : // A load balancer may probe with OPTIONS.
      method === "OPTIONS" && Object.values(endpoints).some((endpoint) => endpoint.anyHost);
  if (!anyHost && !isHostAllowed(url, ctx.env)) throw new AppError("host_not_allowed");
}

/** In `ALLOWED_HOSTS` (or a subdomain), a name of the deployment, or loopback; any host when the list is empty. */
export function isHostAllowed(url: URL, { http }: Env): boolean {
  if (http.allowedHosts.length === 0) return true;
  // A dot at its end makes a name absolute (RFC 1034, section 3.1).
  const host = url.hostname.toLowerCase().replace(/\.$/, "");
  if (isLoopback(host) || http.platformHosts.includes(host)) return true;
  return http.allowedHosts.some((allowed) => host === allowed || host.endsWith(`.${allowed}`));
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}
