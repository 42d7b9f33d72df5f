import * as z from "zod";
import type { Context } from "../../context.js";
import { findUndrained } from "../../observability/log-lines/telemetry.js";
import { drainEvents } from "../../telemetry/drain.js";
import { readDrainedUntil } from "./drain-status.js";

const budgetMs = 3000;

/** How current a list of requests and events is. */
export const EventsUntil = z.strictObject({
  /** All events up to this time are found, and some later ones. */
  eventsUntil: z.iso.datetime(),
  /** False when newer events are missing because Redis does not answer. */
  redisAnswered: z.boolean().optional(),
});
export type EventsUntil = z.infer<typeof EventsUntil>;

/** Drain events for about 3 s, so that a read finds the newest ones; without Redis it finds what was drained before. */
export async function drainBeforeReading(ctx: Context): Promise<EventsUntil> {
  const redisAnswered = await drainEvents(ctx, { budgetMs }).then(
    () => true,
    (error) => {
      findUndrained(ctx.correlationId, error);
      return false;
    },
  );
  return { eventsUntil: await readDrainedUntil(ctx), redisAnswered };
}
