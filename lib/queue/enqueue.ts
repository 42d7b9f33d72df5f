import { randomUUID } from "node:crypto";
import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { queueEntries } from "../db/schema/queue.js";

export interface NewEntry {
  id?: string;
  kind: string;
  /** Unique: a second entry with the same key is ignored while the row exists. */
  key?: string;
  /** IDs and settings; no personal data except the recipient's address. */
  payload: unknown;
  send?: boolean;
  createdAt?: Date;
  expiresAt?: Date;
  runAfter?: Date;
}

/** The statement that queues an entry; commit it together with the change that needs it. */
export function enqueue({ db, correlationId }: Context, entry: NewEntry) {
  return db
    .insert(queueEntries)
    .values({ id: randomUUID(), correlationId, ...entry })
    .onConflictDoNothing({ target: queueEntries.key });
}

/** The columns of an entry without a key, as SQL expressions. */
export interface EntryColumns {
  id: SQL;
  payload: SQL;
  send?: SQL;
  correlationId: SQL;
  now: SQL;
  expiresAt: SQL;
}

/** The part of a statement that queues an entry for each row of `from`. */
export function enqueueFrom(kind: string, columns: EntryColumns, from: SQL): SQL {
  const { id, payload, send = sql`true`, correlationId, now, expiresAt } = columns;
  return sql`
    insert into ${queueEntries}
      (id, kind, payload, send, correlation_id, created_at, expires_at, run_after)
    select cast(${id} as uuid), ${sql.raw(`'${kind}'`)}, ${payload}, cast(${send} as boolean),
      cast(${correlationId} as text), ${now}, ${expiresAt}, ${now}
    from ${from}`;
}
