import type { Context } from "../context.js";
import { takeOverFailed } from "../observability/log-lines/telemetry.js";
import { drainEvents } from "./drain.js";

const idleMs = 90_000;
const budgetMs = 5000;

interface TakeOver {
  startedMs: number;
  nextMs: number;
}

const slot = Symbol.for("linguamate.drainTurn");
const shared = globalThis as { [slot]?: TakeOver };

/**
 * Drain after a reply when no drain was complete for over 90 s. Each process tries at most once in 30 to 60 s, at
 * random, so that few processes drain at the same time. Never rejects.
 */
export async function takeOverDrain(ctx: Context): Promise<void> {
  if (!ctx.gate) return;
  const nowMs = performance.now();
  shared[slot] ??= { startedMs: nowMs, nextMs: nowMs };
  const takeOver = shared[slot];
  const { lastDrainMs } = ctx.gate;
  // No drain time: Redis may have lost its data just now.
  const idleForMs = lastDrainMs === 0 ? nowMs - takeOver.startedMs : Date.now() - lastDrainMs;
  if (idleForMs <= idleMs || nowMs < takeOver.nextMs) return;
  takeOver.nextMs = nowMs + 30_000 * (1 + Math.random());
  try {
    await drainEvents(ctx, { budgetMs });
  } catch (error) {
    takeOverFailed(ctx.correlationId, error);
  }
}
