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
/** On Vercel a process is kept awake for it; afterwards the next request goes on, or the clock. */
const awakeMs = 50_000;

interface Loop {
  running: Promise<void> | null;
  /** A request waits for it, and so keeps the process awake. */
  isAwaited: boolean;
}

const loops = oncePer((_: Platform): Loop => ({ running: null, isAwaited: false }));

/**
 * Write into Redis what it has refused or missed: the flags, the blocks, the moment that ends all
 * sessions, and the ends of sessions, each second until it takes them. One loop in a process, in the
 * background of a server of ours. Never rejects.
 */
export async function catchUp(ctx: Context): Promise<void> {
  const loop = loops(platform());
  loop.running ??= repeat(ctx).finally(() => {
    loop.running = null;
  });
  if (isSelfHosted() || loop.isAwaited) return;
  loop.isAwaited = true;
  const slept = new AbortController();
  const asleep = sleep(awakeMs, undefined, { ref: false, signal: slept.signal });
  await Promise.race([loop.running, asleep]);
  loop.isAwaited = false;
  slept.abort();
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
