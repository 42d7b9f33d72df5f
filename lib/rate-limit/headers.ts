import type { LimitCount } from "./count.js";

/** Of the limit with the least left. X-RateLimit-Reset is in epoch seconds, `t` (draft-ietf-httpapi-ratelimit-headers) from now. */
export function rateLimitHeaders(counts: LimitCount[], now: Date): Record<string, string> {
  const [tightest] = [...counts].sort((a, b) => remainingShare(a) - remainingShare(b));
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

/** For `Retry-After`: at least 1. */
export function secondsUntil(atMs: number, now: Date): number {
  return Math.max(1, Math.ceil((atMs - now.getTime()) / 1000));
}

const remainingShare = ({ remaining, limit }: LimitCount) => remaining / limit.max;
