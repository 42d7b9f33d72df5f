import type { Env } from "../env.js";
import { isHostAllowed } from "./steps/hosts.js";

const exposed = [
  "X-Correlation-ID",
  "X-RateLimit-Limit",
  "X-RateLimit-Remaining",
  "X-RateLimit-Reset",
  "RateLimit",
  "RateLimit-Policy",
  "Retry-After",
  "ETag",
  "Idempotent-Replayed",
].join(", ");

const accepted = [
  "Authorization",
  "Content-Type",
  "Idempotency-Key",
  "Rotation-Id",
  "Device-Id",
  "If-Match",
  "If-None-Match",
  "X-Correlation-ID",
  "X-App-Version",
  // Sent by a traced page; a preflight that does not allow them fails the call.
  "Traceparent",
  "Sentry-Trace",
  "Baggage",
].join(", ");

/** `Vary: Origin`, and the CORS headers for the same origin or one in `CORS_ORIGIN`. Error replies need them too. */
export function corsHeaders(request: Request, url: URL, env: Env): Record<string, string> {
  const origin = request.headers.get("origin");
  const always = { Vary: "Origin" };
  if (origin === null || !isAllowed(origin, url, env)) return always;
  return {
    ...always,
    "Access-Control-Allow-Origin": origin,
    "Access-Control-Expose-Headers": exposed,
  };
}

/** Whether the request has an `Origin` that may not read the reply. */
export function isOriginRefused(request: Request, url: URL, env: Env): boolean {
  const origin = request.headers.get("origin");
  return origin !== null && !isAllowed(origin, url, env);
}

export function preflightHeaders(methods: string): Record<string, string> {
  return {
    "Access-Control-Allow-Methods": methods,
    "Access-Control-Allow-Headers": accepted,
    "Access-Control-Max-Age": "7200",
  };
}

/** "Same origin" is only safe under a host that is served (DNS rebinding). */
function isAllowed(origin: string, url: URL, env: Env): boolean {
  const isSameOrigin = origin === url.origin && isHostAllowed(url, env);
  return origin !== "null" && (env.http.corsOrigins.includes(origin) || isSameOrigin);
}
