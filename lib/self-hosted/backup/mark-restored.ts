import type pg from "pg";
import { withDatabaseSession } from "../../archives/database.js";
import { type Erasure, readErasures } from "../../archives/erasures.js";
import { BackupRefusedError } from "../../archives/failures.js";
import { databaseNameOf } from "../../archives/postgres-tools.js";
import { type Migration, migrateUp } from "../../db/migrations/migrations.js";
import { restoreBegunNow } from "../../db/restore-begun.js";
import { connectForMigrations } from "../migration-connection.js";
import type { Invocation } from "./invocation.js";

/**
 * Closes the app until `ops restore finish`, brings a restored database to the schema of this release, and hands over the
 * erasures beside the backups. Safe to repeat. A log that cannot be read is only a warning: there may be another copy.
 */
export async function markRestored(
  { store, keys, warn }: Invocation["context"],
  databaseUrl: string,
  migrations: Migration[],
): Promise<void> {
  await withDatabaseSession(databaseUrl, async (session) => {
    await session.query("set default_transaction_read_only = off");
    // First, should the rest fail.
    if (await hasSettings(session)) await session.query(begin);
    await acceptWrites(session);
  });
  const { sql, close } = connectForMigrations({ connectionString: databaseUrl });
  try {
    await migrateUp(sql, migrations);
  } finally {
    await close();
  }
  const erasures = await readErasures({ store, keys }).catch((error) => {
    if (!(error instanceof BackupRefusedError)) throw error;
    warn(`${error.message} \`ops restore finish\` needs another copy of the erasures.`);
    return undefined;
  });
  await withDatabaseSession(databaseUrl, (session) => handOver(session, erasures));
}

/** A mistyped address must not close the app over the live database. Throws `BackupRefusedError`. */
export async function requireRestored(databaseUrl: string): Promise<void> {
  const isRestored = await withDatabaseSession(databaseUrl, async (session) => {
    const { rows } = await session.query(
      "select current_setting('default_transaction_read_only') = 'on' as refuses",
    );
    // As `restore --at` has made it, until the first mark.
    return rows[0].refuses || ((await hasSettings(session)) && (await isClosed(session)));
  });
  if (isRestored) return;
  throw new BackupRefusedError(
    `The database ${databaseNameOf(databaseUrl)} accepts writes: no server of \`restore --at\` does before it is marked. On the live database this closes the app for everybody. If this database was restored in another way, add: --confirm closed`,
  );
}

const begin = `update security_settings set restore_begun_at = ${restoreBegunNow}`;

async function hasSettings(session: pg.Client): Promise<boolean> {
  const { rows } = await session.query(
    `select exists (select from information_schema.columns
       where table_name = 'security_settings' and column_name = 'restore_begun_at') as present`,
  );
  return rows[0].present;
}

async function isClosed(session: pg.Client): Promise<boolean> {
  const { rows } = await session.query(
    "select restore_begun_at > restore_finished_at as closed from security_settings",
  );
  return rows[0].closed;
}

/** A restore to a moment has made a server that accepts none by default. */
async function acceptWrites(session: pg.Client): Promise<void> {
  const { rows } = await session.query(
    `select exists (select from pg_file_settings
       where name = 'default_transaction_read_only' and setting = 'on') as refused`,
  );
  if (!rows[0].refused) return;
  await session.query("alter system reset default_transaction_read_only");
  await session.query("select pg_reload_conf()");
}

async function handOver(session: pg.Client, erasures: Erasure[] | undefined): Promise<void> {
  await session.query("begin read write");
  await session.query(begin);
  await session.query("delete from restored_erasures");
  await session.query(
    `insert into restored_erasures (user_id, erased_at)
     select * from unnest($1::uuid[], $2::timestamptz[])`,
    [
      (erasures ?? []).map(({ userId }) => userId),
      (erasures ?? []).map(({ erasedAt }) => erasedAt.toISOString()),
    ],
  );
  await session.query(
    "update security_settings set erasures_handed_over_at = case when $1::boolean then now() end",
    [erasures !== undefined],
  );
  await session.query("commit");
}
