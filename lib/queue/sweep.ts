import { sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { queueEntries } from "../db/schema/queue.js";
import { isOneOf, isOpen, nowOf } from "./claim.js";
import type { Kind } from "./kind.js";

const expiredMax = 1000;

/**
 * Delete at most 1000 expired entries of a kind, dead letters included, and move entries whose last lease
 * expired without a result to the dead letters. One Postgres call. Safe to repeat and to run concurrently.
 */
export async function sweep(
  ctx: Context,
  kind: Pick<Kind, "name" | "now" | "attemptsMax" | "log">,
): Promise<{ expired: number; died: number }> {
  const now = nowOf(ctx, kind);
  const isOfKind = sql`kind = ${kind.name}`;
  const [expired, overdue] = await ctx.db.batch([
    ctx.db
      .delete(queueEntries)
      .where(
        isOneOf(sql`
          select id from ${queueEntries} where ${isOfKind} and expires_at <= ${now}
          limit ${expiredMax} for update skip locked`),
      )
      .returning({ wasOpen: sql<boolean>`${isOpen}` }),
    ctx.db
      .update(queueEntries)
      .set({ deadAt: now, leasedUntil: null, lastError: "lease_expired" })
      .where(
        isOneOf(sql`
          select id from ${queueEntries} where ${isOfKind} and ${isOpen}
            and run_after <= ${now} and attempts >= cast(${kind.attemptsMax} as integer)
          for update skip locked`),
      )
      .returning(),
  ]);
  const unsent = expired.filter(({ wasOpen }) => wasOpen).length;
  if (unsent > 0) kind.log.expired?.(ctx.correlationId, unsent);
  for (const { attempts, ...row } of overdue) {
    const entry = { ...row, attempt: attempts, payload: null, reads: {} };
    const error = new Error("Its lease ran out at the last attempt.");
    kind.log.died({ ...ctx, correlationId: row.correlationId }, entry, {
      reason: "lease_expired",
      error,
    });
  }
  return { expired: expired.length, died: overdue.length };
}
