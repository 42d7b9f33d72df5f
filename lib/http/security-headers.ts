import type { Env } from "../env.js";
import { memoizeByObject } from "../memoize-by-object.js";

/** HSTS in production only; a cacheable reply overrides `Cache-Control`. Source: OWASP ASVS 5.0, 3.4. */
export const securityHeaders = memoizeByObject(
  (env: Env): Record<string, string> => ({
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    ...(env.production
      ? { "Strict-Transport-Security": "max-age=63072000; includeSubDomains; preload" }
      : {}),
  }),
);
