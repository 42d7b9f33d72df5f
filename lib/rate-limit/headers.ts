import type { Count } from "./count.js";

/**
 * The limit that is nearest to being used up, in the `X-RateLimit-*` headers (reset in epoch seconds)
 * and in those of draft-ietf-httpapi-ratelimit-headers (reset in seconds from now).
 */
export function rateLimitHeaders(counts: Count[], now: Date): Record<string, string> {
  const [tightest] = [...counts].sort((a, b) => share(a) - share(b));
  if (!tightest) return {};
  const { limit, remaining, resetsAtMs } = tightest;
  const resetSeconds = secondsUntil(resetsAtMs, now);
  const windowSeconds = Math.ceil(limit.windowMs / 1000);
  return {
    "X-RateLimit-Limit": String(limit.max),
    "X-RateLimit-Remaining": String(remaining),
    "X-RateLimit-Reset": String(Math.ceil(resetsAtMs / 1000)),
    RateLimit: `"${limit.policy}";r=${remaining};t=${resetSeconds}`,
    "RateLimit-Policy": `"${limit.policy}";q=${limit.max};w=${windowSeconds}`,
  };
}

/** Whole seconds until a moment, at least 1: what `Retry-After` says. */
export function secondsUntil(atMs: number, now: Date): number {
  return Math.max(1, Math.ceil((atMs - now.getTime()) / 1000));
}

const share = ({ remaining, limit }: Count) => remaining / limit.max;
