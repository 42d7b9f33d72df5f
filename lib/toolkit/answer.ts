import { createHash } from "node:crypto";
import type { Context } from "../context.js";
import { keyedHash } from "../crypto/secret.js";
import { AppError } from "../errors.js";
import { redis } from "../redis/upstash-client.js";
import { callToolkit, type ToolkitCall } from "./call.js";
import { type CachePolicy, operations } from "./operations.js";

export interface Answer<T> {
  value: T;
  ageSeconds: number;
  /** The answer is from the cache and no longer fresh. */
  degraded: boolean;
}

/** A call whose answer may be cached and given to any user with the same request. */
export interface SharedCall<T> extends ToolkitCall<T> {
  body: string;
}

interface CacheEntry {
  atMs: number;
  value: unknown;
}

/**
 * Cached (stale-while-revalidate, stale-if-error). Never for personal requests: the answer is stored in plain text,
 * under a keyed hash of the request. Throws as `callToolkit`, unless a cached answer replaces a failure of the toolkit.
 */
export async function sharedAnswer<T>(ctx: Context, call: SharedCall<T>): Promise<Answer<T>> {
  const { keeping } = operations[call.operation];
  if (!keeping) return { value: await callToolkit(ctx, call), ageSeconds: 0, degraded: false };
  const key = keyOf(ctx, call);
  const { freshSeconds, revalidateSeconds, errorSeconds } = keeping;
  const found = await find(key);
  const ageSeconds = found ? Math.max(0, Math.floor((ctx.now.getTime() - found.atMs) / 1000)) : 0;
  const isUseful = ageSeconds < freshSeconds + revalidateSeconds + errorSeconds;
  const cached = isUseful ? found : null;
  const isFresh = cached !== null && ageSeconds < freshSeconds;
  if (isFresh) return { value: cached.value as T, ageSeconds, degraded: false };
  if (cached && ageSeconds < freshSeconds + revalidateSeconds) {
    ctx.after(() => ask(ctx, call, key, keeping));
    return { value: cached.value as T, ageSeconds, degraded: true };
  }
  try {
    return { value: await ask(ctx, call, key, keeping), ageSeconds: 0, degraded: false };
  } catch (error) {
    if (!cached || !isUnavailable(error)) throw error;
    return { value: cached.value as T, ageSeconds, degraded: true };
  }
}

async function ask<T>(
  ctx: Context,
  call: SharedCall<T>,
  key: string,
  { freshSeconds, revalidateSeconds, errorSeconds }: CachePolicy,
): Promise<T> {
  const value = await callToolkit(ctx, call);
  const cached: CacheEntry = { atMs: ctx.now.getTime(), value };
  const ex = freshSeconds + revalidateSeconds + errorSeconds;
  ctx.after(async () => (await redis()).set(key, JSON.stringify(cached), { ex }));
  return value;
}

function find(key: string): Promise<CacheEntry | null> {
  return redis()
    .then((client) => client.get<CacheEntry>(key))
    .catch(() => null);
}

function keyOf(ctx: Context, { operation, body }: SharedCall<unknown>): string {
  const hash = createHash("sha256").update(keyedHash(ctx.env, "toolkit-question", body));
  return `toolkit:${operation}:${hash.digest("base64url")}`;
}

const isUnavailable = (error: unknown) =>
  error instanceof AppError &&
  (error.code === "toolkit_unavailable" || error.code === "feature_disabled");
