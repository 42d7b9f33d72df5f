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
  // Of a page that is traced; Sentry sends its baggage along, and a preflight that lacks it fails the call.
  "Traceparent",
  "Sentry-Trace",
  "Baggage",
].join(", ");

/**
 * The headers that let a browser's page read the answer: for an exact origin of `CORS_ORIGIN` or the
 * same origin, and for no other (never `*`, never `null`). They belong on error replies too.
 */
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

/** Does the request come from a page of an origin that may not read the answer? */
export function isOriginRefused(request: Request, url: URL, env: Env): boolean {
  const origin = request.headers.get("origin");
  return origin !== null && !isAllowed(origin, url, env);
}

/** What a preflight is answered besides `corsHeaders`. */
export function preflightHeaders(methods: string): Record<string, string> {
  return {
    "Access-Control-Allow-Methods": methods,
    "Access-Control-Allow-Headers": accepted,
    "Access-Control-Max-Age": "7200",
  };
}

/** Under a host that is not served, any page could pass for one of the same origin. */
function isAllowed(origin: string, url: URL, env: Env): boolean {
  const isSameOrigin = origin === url.origin && isHostAllowed(url, env);
  return origin !== "null" && (env.http.corsOrigins.includes(origin) || isSameOrigin);
}
