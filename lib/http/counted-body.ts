import type { AccessClaims } from "../auth/token/access-token.js";
import { rateLimitHeaders } from "../rate-limit/headers.js";
import type { Endpoint } from "./endpoint.js";
import type { Exchange } from "./exchange.js";
import { readJsonBody } from "./json-body.js";
import { countRefused, requireWithinLimits } from "./limits.js";
import { validBody } from "./valid-body.js";
import { watchAuthFields } from "./watch.js";

const bytesMax = 16 * 1024;

/**
 * A body that limits count by, and which is therefore read before them: it must be small, and one that
 * is refused counts against its sender's address all the same.
 */
export async function readCountedBody(
  { body, limits }: Endpoint,
  { ctx, request, headers }: Exchange,
  claims: AccessClaims | undefined,
): Promise<unknown> {
  try {
    const value = body && (await readJsonBody(request, bytesMax));
    watchAuthFields(ctx, value);
    return body && validBody(ctx, body, value, claims?.userId);
  } catch (error) {
    const counts = await countRefused(ctx, limits, ctx.address);
    Object.assign(headers, rateLimitHeaders(counts, ctx.now));
    requireWithinLimits(ctx, { counts, countedIn: "redis" }, ctx.address);
    throw error;
  }
}
