import { createHash } from "node:crypto";
import type { Context } from "../context.js";
import { keyedHash } from "../crypto/secret.js";
import { AppError } from "../errors.js";
import { redis } from "../redis/client.js";
import { type Call, callToolkit } from "./call.js";
import { type Keeping, operations } from "./operations.js";

/** What the toolkit says now, or has said to the same question. */
export interface Answer<T> {
  value: T;
  /** How long ago it was said; 0 for what is said now. */
  ageSeconds: number;
  /** True where it is older than it should be. */
  degraded: boolean;
}

/** A call whose answer anybody may be given who asks the same. */
export interface SharedCall<T> extends Call<T> {
  body: string;
}

interface Kept {
  atMs: number;
  value: unknown;
}

/**
 * Answer from what is kept while that is fresh; while it is stale give it and ask anew after the reply;
 * when it is older ask, and fall back to it where the toolkit fails. Never for what is personal: the
 * answer is kept under a keyed hash of the question, in plain text. Throws as `callToolkit` where
 * nothing is kept.
 */
export async function sharedAnswer<T>(ctx: Context, call: SharedCall<T>): Promise<Answer<T>> {
  const { keeping } = operations[call.operation];
  if (!keeping) return { value: await callToolkit(ctx, call), ageSeconds: 0, degraded: false };
  const key = keyOf(ctx, call);
  const { freshSeconds, revalidateSeconds, errorSeconds } = keeping;
  const found = await find(key);
  const ageSeconds = found ? Math.max(0, Math.floor((ctx.now.getTime() - found.atMs) / 1000)) : 0;
  const isUseful = ageSeconds < freshSeconds + revalidateSeconds + errorSeconds;
  const kept = isUseful ? found : null;
  const isFresh = kept !== null && ageSeconds < freshSeconds;
  if (isFresh) return { value: kept.value as T, ageSeconds, degraded: false };
  if (kept && ageSeconds < freshSeconds + revalidateSeconds) {
    ctx.after(() => ask(ctx, call, key, keeping));
    return { value: kept.value as T, ageSeconds, degraded: true };
  }
  try {
    return { value: await ask(ctx, call, key, keeping), ageSeconds: 0, degraded: false };
  } catch (error) {
    if (!kept || !isUnavailable(error)) throw error;
    return { value: kept.value as T, ageSeconds, degraded: true };
  }
}

async function ask<T>(
  ctx: Context,
  call: SharedCall<T>,
  key: string,
  { freshSeconds, revalidateSeconds, errorSeconds }: Keeping,
): Promise<T> {
  const value = await callToolkit(ctx, call);
  const kept: Kept = { atMs: ctx.now.getTime(), value };
  const ex = freshSeconds + revalidateSeconds + errorSeconds;
  ctx.after(() => redis().set(key, JSON.stringify(kept), { ex }));
  return value;
}

/** Without Redis nothing is kept. */
async function find(key: string): Promise<Kept | null> {
  return redis()
    .get<Kept>(key)
    .catch(() => null);
}

function keyOf(ctx: Context, { operation, body }: SharedCall<unknown>): string {
  const hash = createHash("sha256").update(keyedHash(ctx.env, "toolkit-question", body));
  return `toolkit:${operation}:${hash.digest("base64url")}`;
}

const isUnavailable = (error: unknown) =>
  error instanceof AppError &&
  (error.code === "toolkit_unavailable" || error.code === "feature_disabled");
