import type { Context } from "../context.js";
import { takeOverFailed } from "../observability/log-lines/telemetry.js";
import { drainEvents } from "./drain.js";

const idleMs = 90_000;
const budgetMs = 5000;

/** When this process may try next, and since when it has run, by the clock that only goes on. */
interface Turn {
  bornMs: number;
  nextMs: number;
}

const slot = Symbol.for("linguamate.drainTurn");
const shared = globalThis as { [slot]?: Turn };

/**
 * Drain in place of a clock that has failed: after the reply of any request that the gate told that
 * nobody has done so for over 90 s. One request of a process in 30 to 60 s, at random, so that a crowd
 * does not. Never rejects.
 */
export async function takeOverDrain(ctx: Context): Promise<void> {
  if (!ctx.gate) return;
  const nowMs = performance.now();
  shared[slot] ??= { bornMs: nowMs, nextMs: nowMs };
  const turn = shared[slot];
  const { lastDrainMs } = ctx.gate;
  // A Redis that knows of no drain may have been lost a moment ago.
  const idleForMs = lastDrainMs === 0 ? nowMs - turn.bornMs : Date.now() - lastDrainMs;
  if (idleForMs <= idleMs || nowMs < turn.nextMs) return;
  turn.nextMs = nowMs + 30_000 * (1 + Math.random());
  try {
    await drainEvents(ctx, { budgetMs });
  } catch (error) {
    takeOverFailed(ctx.correlationId, error);
  }
}
