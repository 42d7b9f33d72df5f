import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../../context.js";
import { dropOldestDay } from "../../telemetry/partitions.js";
import { retentionClass } from "./classes.js";
import { cutoff } from "./cutoff.js";

const attempts = 3;
const pauseMs = 1000;

/**
 * Drop the days of the access log past the retention, one after the other, until `endMs`. A day that is read, as by a
 * dump of the database, is tried three times and then left to the next run. Safe to repeat, also concurrently.
 */
export async function dropOldDays(ctx: Context, endMs: number) {
  const before = cutoff(ctx, retentionClass("access_log"));
  const counts = { dropped: 0, postponed: false };
  for (let busy = 0; performance.now() < endMs; ) {
    const outcome = await dropOldestDay(ctx, before);
    if (outcome === "none") break;
    if (outcome === "dropped") counts.dropped += 1;
    else if (++busy < attempts) await sleep(pauseMs);
    else {
      counts.postponed = true;
      break;
    }
  }
  return counts;
}
