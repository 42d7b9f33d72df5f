import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../context.js";
import { claim } from "./claim.js";
import type { Entry, Kind } from "./kind.js";
import { sweep } from "./sweep.js";
import { type Try, tryEntry } from "./try-entry.js";

export interface Tally {
  done: number;
  dropped: number;
  retried: number;
  died: number;
  expired: number;
}

/** No claim when less time is left. */
const leastMs = 1000;

/**
 * Sweep, then handle the due entries of a kind within its budget and until `endMs` (`performance.now()`). Safe to
 * repeat and to run concurrently. Rejects when Postgres is down.
 */
export async function runDue<Payload, Reads>(
  ctx: Context,
  kind: Kind<Payload, Reads>,
  endMs = Number.POSITIVE_INFINITY,
): Promise<Tally> {
  const lastMs = Math.min(endMs, performance.now() + kind.budgetSeconds * 1000);
  const tally = { done: 0, dropped: 0, retried: 0, ...(await sweep(ctx, kind)) };
  while (lastMs - performance.now() > leastMs) {
    const claimed = await claim(ctx, kind);
    if (claimed.length === 0) break;
    const ends = await tryAll(ctx, kind, claimed);
    for (const { end } of ends) tally[end] += 1;
    // Further entries would be refused until then; the next run takes them.
    const pauseMs = Math.max(...ends.map(({ pauseSeconds = 0 }) => pauseSeconds * 1000));
    if (performance.now() + pauseMs >= lastMs) break;
    if (pauseMs > 0) await sleep(pauseMs);
  }
  return tally;
}

/** Handle these entries now, if new or due, and not leased. Safe to repeat and to run concurrently. */
export async function runEntries<Payload, Reads>(
  ctx: Context,
  kind: Kind<Payload, Reads>,
  ids: string[],
): Promise<void> {
  await tryAll(ctx, kind, await claim(ctx, kind, ids));
}

/** Waits for all, so that one failed settlement does not hide the others. */
async function tryAll<Payload, Reads>(
  ctx: Context,
  kind: Kind<Payload, Reads>,
  claimed: Entry<unknown, Reads>[],
): Promise<Try[]> {
  const results = await Promise.allSettled(
    claimed.map((entry) => {
      const asQueued = { ...ctx, db: ctx.db, correlationId: entry.correlationId };
      return tryEntry(asQueued, kind, entry);
    }),
  );
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}
