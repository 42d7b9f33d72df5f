import { randomUUID } from "node:crypto";
import { type SQL, sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import { copyChangeToRedis } from "../admission/mirror.js";
import { auditRow } from "../audit/audit.js";
import type { Context } from "../context.js";
import { lacksRequiredRow } from "../db/failures.js";
import { requiredRow } from "../db/required-row.js";
import { users } from "../db/schema/accounts.js";
import { blocks, flags, mirrorVersions } from "../db/schema/gate.js";
import { erasures } from "../db/schema/privacy.js";
import { timestamp } from "../db/timestamp.js";
import { accountErased } from "../observability/log-lines/privacy.js";
import { enqueue } from "../queue/enqueue.js";
import { runEntries } from "../queue/run-due.js";
import { type PersonalTable, personalTables } from "./catalogue.js";
import { erasureKind, erasureKindName, tracesOf } from "./erasure-kind.js";
import { findPerson, type Person } from "./person.js";

/**
 * `due`: the grace period is over. `guest`: a guest asked for it. `replay`: it was erased before, and a restore of the
 * database brought it back.
 */
export type ErasureReason = "due" | "guest" | "replay";

const mayErase: Record<ErasureReason, (ctx: Context) => SQL> = {
  due: ({ now }) => sql`purge_at <= ${timestamp(now)}`,
  guest: () => sql`is_guest and merged_into is null`,
  replay: () => sql`true`,
};

/**
 * One transaction erases the account and the guests merged into it from every table, as the catalogue says, and writes
 * the receipts. The traces in Redis follow through the queue, the first try at once. False when the account no longer
 * meets the reason, or does not exist. Safe to repeat and to run concurrently.
 */
export async function eraseAccount(
  ctx: Context,
  userId: string,
  reason: ErasureReason,
): Promise<boolean> {
  const person = await findPerson(ctx, userId);
  if (!person) return false;
  const { db } = ctx;
  const entryId = randomUUID();
  const actor =
    reason === "guest" ? ({ kind: "user", id: userId } as const) : ({ kind: "system" } as const);
  const [, , touchedBlocks, touchedFlags] = await db
    .batch([
      lockAccounts(ctx, person),
      // A statement of its own, to see what the previous holder of the lock has committed.
      requireErasable(ctx, person, mayErase[reason](ctx)),
      raiseMirrorVersion(ctx, "blocks", blocks, person),
      raiseMirrorVersion(ctx, "flags", flags, person),
      enqueue(ctx, { id: entryId, kind: erasureKindName, payload: tracesOf(ctx, person) }),
      // The accounts come last: the rows that refer to them are then gone.
      ...personalTables.toReversed().flatMap((table) => eraseRows(ctx, table, person)),
      ...person.ids.map((id) => auditRow(ctx, { actor, action: "account.erased", subjectId: id })),
      db
        .insert(erasures)
        .values(person.ids.map((id) => ({ userId: id, erasedAt: ctx.now })))
        .onConflictDoNothing(),
    ] as unknown as [
      BatchItem<"pg">,
      BatchItem<"pg">,
      ReturnType<typeof raiseMirrorVersion>,
      ReturnType<typeof raiseMirrorVersion>,
    ])
    .catch((error) => {
      if (lacksRequiredRow(error)) return [null, null, null, null] as const;
      throw error;
    });
  if (!touchedBlocks || !touchedFlags) return false;
  accountErased(ctx.correlationId, { userId, reason });
  if (touchedBlocks.rows.length + touchedFlags.rows.length > 0) await copyChangeToRedis(ctx);
  // What fails here is repeated by the tick.
  await runEntries(ctx, erasureKind, [entryId]).catch(() => {});
  return true;
}

/** A sign-in that merges a guest into the account locks the account first. */
function lockAccounts({ db }: Context, { ids }: Person) {
  return db.execute(sql`
    select 1 from ${users} where id = any(cast(${sql.param(ids)} as uuid[])) order by id for update`);
}

/** Fails the batch when the account no longer meets the condition, or another guest was merged into it before the lock. */
function requireErasable({ db }: Context, { ids }: Person, condition: SQL) {
  const [userId] = ids;
  return db.execute(sql`
    with erasable as (
      select 1 from ${users} where id = ${userId} and ${condition}
        and ${ids.length} = (
          select count(*) from ${users} where id = ${userId} or merged_into = ${userId})
    )
    select ${requiredRow(sql`erasable`)}`);
}

/** Locks the version before its table, as every change of the mirror does. */
function raiseMirrorVersion(
  { db }: Context,
  name: "blocks" | "flags",
  table: typeof blocks | typeof flags,
  person: Person,
) {
  const entry = personalTables.find((personal) => personal.table === name) as PersonalTable;
  return db.execute(sql`
    update ${mirrorVersions} set version = version + 1
    where name = ${name} and exists (select 1 from ${table} where ${anyRow(entry, person)})
    returning name`);
}

export function eraseRows(
  { db }: Context,
  table: PersonalTable,
  person: Person,
): BatchItem<"pg">[] {
  const { erased } = table;
  const name = sql.identifier(table.table);
  if (erased === "deleted") {
    return [db.execute(sql`delete from ${name} where ${anyRow(table, person)}`)];
  }
  if ("kept" in erased) return [];
  return [
    db.execute(sql`update ${name} set ${erased.changed(person)} where ${anyRow(table, person)}`),
  ];
}

/** False for a person without any of the values that the table knows. */
const anyRow = (table: PersonalTable, person: Person): SQL =>
  sql`(${sql.join(
    [sql`false`, ...table.rows(person), ...(table.alsoErased?.(person) ?? [])],
    sql` or `,
  )})`;
