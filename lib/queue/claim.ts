import { inArray, type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { queueEntries } from "../db/schema/queue.js";
import type { Entry, Kind } from "./kind.js";

/** To be sent, neither done nor dead: the condition of the index `queue_entries_due_idx`. */
export const isOpen = sql`send and done_at is null and dead_at is null`;

/** Not done, and its last attempt failed. */
export const isRetrying = sql`${isOpen} and last_error is not null and expires_at > now()`;

export const nowOf = (ctx: Context, kind: Pick<Kind, "now">): SQL => kind.now?.(ctx) ?? sql`now()`;

export const after = (now: SQL, seconds: number) => sql`${now} + make_interval(secs => ${seconds})`;

/** As an array, which is evaluated once; a subquery could be evaluated for each row. */
export const isOneOf = (rows: SQL) => sql`${queueEntries.id} = any(array(${rows}))`;

/** Lease entries of a kind: the new or due ones of `ids`, or the `concurrency` oldest due ones. Of several callers one gets each. */
export async function claim<Payload, Reads>(
  ctx: Context,
  kind: Kind<Payload, Reads>,
  ids?: string[],
): Promise<Entry<unknown, Reads>[]> {
  const now = nowOf(ctx, kind);
  const isDue = sql`run_after <= ${now}`;
  const conditions = [
    sql`kind = ${kind.name}`,
    isOpen,
    sql`(expires_at is null or expires_at > ${now})`,
    // A new entry is due even if the clocks of its writer and of Postgres differ.
    ids ? sql`${inArray(sql`id`, ids)} and (attempts = 0 or ${isDue})` : isDue,
    ...(kind.attemptsMax === null ? [] : [sql`attempts < ${kind.attemptsMax}`]),
    ...(kind.isReady ? [kind.isReady] : []),
  ];
  const leaseEnd = after(now, kind.leaseSeconds);
  const rows = await ctx.db
    .update(queueEntries)
    .set({ attempts: sql`${queueEntries.attempts} + 1`, runAfter: leaseEnd, leasedUntil: leaseEnd })
    .where(
      isOneOf(sql`
        select id from ${queueEntries} as due where ${sql.join(conditions, sql` and `)}
        order by run_after limit ${ids?.length ?? kind.concurrency} for update skip locked`),
    )
    .returning({
      id: queueEntries.id,
      kind: queueEntries.kind,
      key: queueEntries.key,
      payload: queueEntries.payload,
      correlationId: queueEntries.correlationId,
      createdAt: queueEntries.createdAt,
      expiresAt: queueEntries.expiresAt,
      attempt: queueEntries.attempts,
      reads: (kind.reads ?? {}) as Record<string, SQL>,
    });
  return rows as unknown as Entry<unknown, Reads>[];
}
