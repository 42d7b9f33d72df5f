import { setTimeout as sleep } from "node:timers/promises";
import { sweepSessionKeys } from "../auth/session/sweep-session-keys.js";
import type { Context } from "../context.js";
import { memoizeByObject } from "../memoize-by-object.js";
import { redisCaughtUp } from "../observability/log-lines/gate.js";
import { isSelfHosted, platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";
import { isRedisStale, repairStaleRedis } from "../redis/stale-redis.js";
import { copyGateToRedis } from "./mirror.js";

const pauseMs = 1000;
/** On Vercel, how long one request keeps the process awake for it; then the next request or cron continues. */
const awakeMs = 50_000;

interface Loop {
  running: Promise<void> | null;
  isAwaited: boolean;
}

const loops = memoizeByObject((_: Platform): Loop => ({ running: null, isAwaited: false }));

/** Retry every second to write to Redis what it refused or missed. One loop per process, awaited on Vercel. Never rejects. */
export async function resyncRedis(ctx: Context): Promise<void> {
  const loop = loops(platform());
  loop.running ??= repeat(ctx).finally(() => {
    loop.running = null;
  });
  if (isSelfHosted() || loop.isAwaited) return;
  loop.isAwaited = true;
  const waiting = new AbortController();
  const deadline = sleep(awakeMs, undefined, { ref: false, signal: waiting.signal });
  await Promise.race([loop.running, deadline]);
  loop.isAwaited = false;
  waiting.abort();
}

async function repeat(ctx: Context): Promise<void> {
  const stores = platform();
  while (isRedisStale() && platform() === stores) {
    const isRepaired = await repairStaleRedis(() => writeRecord({ ...ctx, now: new Date() })).then(
      () => true,
      () => false,
    );
    if (!isRepaired) await sleep(pauseMs, undefined, { ref: false });
    else if (!isRedisStale()) redisCaughtUp(ctx.correlationId);
  }
}

async function writeRecord(ctx: Context): Promise<void> {
  await copyGateToRedis(ctx);
  await sweepSessionKeys(ctx);
}
