import type { Env } from "../env.js";

/**
 * May this host be served? `ALLOWED_HOSTS` entries cover their subdomains; the platform's own names of
 * the deployment and loopback are always served. Without `ALLOWED_HOSTS` any host is.
 */
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
