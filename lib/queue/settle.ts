import { and, eq, or, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { requiredRow } from "../db/required-row.js";
import { queueEntries } from "../db/schema/queue.js";
import { after, isOpen, nowOf } from "./claim.js";
import type { Entry, Kind } from "./kind.js";

type Claimed = Pick<Entry, "id" | "key" | "attempt">;

const isHeld = ({ id, attempt }: Claimed) =>
  and(eq(queueEntries.id, id), eq(queueEntries.attempts, attempt), isOpen);

/** The statement that marks a job done or deletes a message, for the handler's batch. Fails it if the lease was lost (`lacksRequiredRow`). */
export function entryDone({ db }: Context, entry: Claimed) {
  const ended =
    entry.key === null
      ? sql`delete from ${queueEntries}`
      : sql`update ${queueEntries} set done_at = now(), leased_until = null, last_error = null`;
  return db.execute(sql`
    with done as (${ended} where ${isHeld(entry)} returning 1) select ${requiredRow(sql`done`)}`);
}

/** The same after the handler, if it has not committed it and holds the lease. Also deletes superseded dead letters. */
export async function endEntry<Payload>(
  { db }: Context,
  kind: Pick<Kind<Payload>, "name" | "supersedes">,
  entry: Claimed & { payload: Payload },
): Promise<void> {
  if (entry.key !== null) {
    await db
      .update(queueEntries)
      .set({ doneAt: sql`now()`, leasedUntil: null, lastError: null })
      .where(isHeld(entry));
    return;
  }
  const superseded =
    kind.supersedes &&
    and(
      eq(queueEntries.kind, kind.name),
      sql`${queueEntries.deadAt} is not null`,
      kind.supersedes(entry.payload),
    );
  await db.delete(queueEntries).where(or(isHeld(entry), superseded));
}

interface Failed {
  reason: string;
  payload?: unknown;
}

/** No effect when the lease is lost. */
export async function postpone(
  ctx: Context,
  kind: Pick<Kind, "now">,
  entry: Claimed,
  { reason, payload, delaySeconds }: Failed & { delaySeconds: number },
): Promise<void> {
  await ctx.db
    .update(queueEntries)
    .set({
      runAfter: after(nowOf(ctx, kind), delaySeconds),
      leasedUntil: null,
      lastError: reason,
      ...(payload === undefined ? {} : { payload }),
    })
    .where(isHeld(entry));
}

/** No effect when the lease is lost. Only an operator retries a dead letter. */
export async function moveToDeadLetters(
  ctx: Context,
  kind: Pick<Kind, "now">,
  entry: Claimed,
  { reason, payload }: Failed,
): Promise<void> {
  await ctx.db
    .update(queueEntries)
    .set({
      deadAt: nowOf(ctx, kind),
      leasedUntil: null,
      lastError: reason,
      ...(payload === undefined ? {} : { payload }),
    })
    .where(isHeld(entry));
}
