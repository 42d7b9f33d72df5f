import type { Context } from "../context.js";
import { takeOverFailed } from "../observability/log-lines/telemetry.js";
import { isFillingUp } from "./mode.js";
import { knownStreamBytes } from "./producer.js";
import { claimDrain } from "./stream.js";

const idleMs = 90_000;
const idlePauseMs = 30_000;
const fillingPauseMs = 5000;
const budgetMs = 5000;

interface TakeOver {
  startedMs: number;
  idleNextMs: number;
  fillingNextMs: number;
}

const slot = Symbol.for("linguamate.drainTurn");
const shared = globalThis as { [slot]?: TakeOver };

/**
 * Drain after a reply when no drain was complete for over 90 s, or when the stream is filling up. Each process tries
 * at most once in 30 to 60 s, or in 5 to 10 s, at random, so that few processes drain at the same time. Of the
 * processes that know of a stream that is filling up, one in 5 s drains. Never rejects.
 */
export async function takeOverDrain(ctx: Context): Promise<void> {
  if (!ctx.gate) return;
  try {
    if (isIdle(ctx.gate.lastDrainMs) || (await isFilling(ctx))) {
      // Loaded on demand: few requests drain.
      const { drainEvents } = await import("./drain.js");
      await drainEvents(ctx, { budgetMs });
    }
  } catch (error) {
    takeOverFailed(ctx.correlationId, error);
  }
}

function isIdle(lastDrainMs: number): boolean {
  const [state, nowMs] = [takeOver(), performance.now()];
  // No drain time: Redis may have lost its data just now.
  const idleForMs = lastDrainMs === 0 ? nowMs - state.startedMs : Date.now() - lastDrainMs;
  if (idleForMs <= idleMs || nowMs < state.idleNextMs) return false;
  state.idleNextMs = afterPause(idlePauseMs);
  return true;
}

async function isFilling({ env }: Context): Promise<boolean> {
  const state = takeOver();
  if (!isFillingUp(knownStreamBytes(), env.telemetry.streamBytesMax)) return false;
  if (performance.now() < state.fillingNextMs) return false;
  state.fillingNextMs = afterPause(fillingPauseMs);
  return claimDrain(fillingPauseMs);
}

const afterPause = (ms: number) => performance.now() + ms * (1 + Math.random());

function takeOver(): TakeOver {
  shared[slot] ??= { startedMs: performance.now(), idleNextMs: 0, fillingNextMs: 0 };
  return shared[slot];
}
