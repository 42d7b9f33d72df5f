import { setTimeout as sleep } from "node:timers/promises";
import { sweepSessionKeys } from "../auth/session/sweep.js";
import type { Context } from "../context.js";
import { redisCaughtUp } from "../observability/log-lines/gate.js";
import { oncePer } from "../once-per.js";
import { isSelfHosted, platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";
import { doesRedisLag, repairLag } from "../redis/lag.js";
import { mirrorGate } from "./mirror.js";

const pauseMs = 1000;
/** On Vercel, how long one request keeps the process awake for it; then the next request or cron continues. */
const awakeMs = 50_000;

interface Loop {
  running: Promise<void> | null;
  isAwaited: boolean;
}

const loops = oncePer((_: Platform): Loop => ({ running: null, isAwaited: false }));

/** Retry every second to write to Redis what it refused or missed. One loop per process. Never rejects. */
export async function catchUp(ctx: Context): Promise<void> {
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
  while (doesRedisLag() && platform() === stores) {
    const isRepaired = await repairLag(() => writeRecord({ ...ctx, now: new Date() })).then(
      () => true,
      () => false,
    );
    if (!isRepaired) await sleep(pauseMs, undefined, { ref: false });
    else if (!doesRedisLag()) redisCaughtUp(ctx.correlationId);
  }
}

async function writeRecord(ctx: Context): Promise<void> {
  await mirrorGate(ctx);
  await sweepSessionKeys(ctx);
}
