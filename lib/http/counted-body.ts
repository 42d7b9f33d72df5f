import type { AccessClaims } from "../auth/token/access-token.js";
import { AppError, catalogue } from "../errors.js";
import { rateLimitHeaders } from "../rate-limit/headers.js";
import { bodyBytesMaxOf, type Endpoint } from "./endpoint.js";
import type { Exchange } from "./exchange.js";
import { readJsonBody } from "./json-body.js";
import { countRefused, requireWithinLimits } from "./limits.js";
import { validBody } from "./valid-body.js";
import { watchAuthFields } from "./watch.js";

/**
 * A body that limits count by, and which is therefore read before them: it must be small, and one that
 * is refused counts against its sender's address all the same, unless the refusal is ours.
 */
export async function readCountedBody(
  endpoint: Endpoint,
  { ctx, request, headers }: Exchange,
  claims: AccessClaims | undefined,
): Promise<unknown> {
  const { body, limits } = endpoint;
  try {
    const value = body && (await readJsonBody(request, bodyBytesMaxOf(endpoint)));
    // It may have taken minutes, and a code or a window of the past must not count.
    ctx.now = new Date();
    watchAuthFields(ctx, value);
    return body && validBody(ctx, body, value, claims?.userId);
  } catch (error) {
    if (error instanceof AppError && catalogue[error.code].status >= 500) throw error;
    const counts = await countRefused(ctx, limits, ctx.address);
    Object.assign(headers, rateLimitHeaders(counts, ctx.now));
    requireWithinLimits(ctx, { counts, countedIn: "redis" }, ctx.address);
    throw error;
  }
}
