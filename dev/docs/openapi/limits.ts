import { readEnv } from "../../../lib/env.js";
import type { Endpoint } from "../../../lib/http/endpoint.js";
import { limitsOf } from "../../../lib/rate-limit/policies.js";

/** The environment's defaults: a deployment may set the default limit otherwise. */
const limits = limitsOf(readEnv({ JWT_SECRET: "only-for-the-defaults-of-the-environment" }));

/** The limits that an endpoint declares. */
export function rateLimitsOf(endpoint: Endpoint): object[] {
  const rows = [...new Set(endpoint.limits.flatMap((name) => limits[name]))];
  return rows.map(({ policy, kind, max, windowMs, whenRedisFails, countsKept, ...row }) => ({
    policy,
    kind,
    max,
    windowSeconds: windowMs / 1000,
    counts: countsKept,
    whenRedisFails,
    ...(row.delaysMs && { delaysSeconds: row.delaysMs.map((ms) => ms / 1000) }),
    ...(row.suppressesMail && { withholdsMailOnly: true }),
  }));
}
