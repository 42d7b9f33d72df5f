import { randomUUID } from "node:crypto";
import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { queueEntries } from "../db/schema/queue.js";

export interface NewEntry {
  id?: string;
  kind: string;
  /** Of several entries under one key one is kept, until its row is gone. */
  key?: string;
  /** IDs and settings: no personal data but an address that is written to. */
  payload: unknown;
  send?: boolean;
  createdAt?: Date;
  expiresAt?: Date;
  runAfter?: Date;
}

/** The statement that queues an entry, to be committed with the change that asks for it. */
export function enqueue({ db, correlationId }: Context, entry: NewEntry) {
  return db
    .insert(queueEntries)
    .values({ id: randomUUID(), correlationId, ...entry })
    .onConflictDoNothing({ target: queueEntries.key });
}

/** The columns of an entry without a key, as expressions over the rows of `from`. */
export interface EntryColumns {
  id: SQL;
  payload: SQL;
  send?: SQL;
  correlationId: SQL;
  now: SQL;
  expiresAt: SQL;
}

/** The part of a statement that queues an entry for each row that another part of it has returned. */
export function enqueueFrom(kind: string, columns: EntryColumns, from: SQL): SQL {
  const { id, payload, send = sql`true`, correlationId, now, expiresAt } = columns;
  return sql`
    insert into ${queueEntries}
      (id, kind, payload, send, correlation_id, created_at, expires_at, run_after)
    select cast(${id} as uuid), ${sql.raw(`'${kind}'`)}, ${payload}, cast(${send} as boolean),
      cast(${correlationId} as text), ${now}, ${expiresAt}, ${now}
    from ${from}`;
}
