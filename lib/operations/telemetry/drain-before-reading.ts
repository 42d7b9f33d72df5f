import type { Context } from "../../context.js";
import { findUndrained } from "../../observability/log-lines/telemetry.js";
import { drainEvents } from "../../telemetry/drain.js";
import { readDrainedUntil } from "./drain-status.js";

const budgetMs = 3000;

/**
 * Drain events for about 3 s, so that a read finds the newest ones; without Redis it finds what was drained before. Returns the
 * time up to which all events are found, and some later ones.
 */
export async function drainBeforeReading(ctx: Context): Promise<string> {
  await drainEvents(ctx, { budgetMs }).catch((error) => findUndrained(ctx.correlationId, error));
  return readDrainedUntil(ctx);
}
