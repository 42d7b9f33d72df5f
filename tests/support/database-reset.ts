import type { SqlBackend } from "../../lib/platform/postgres-transport/neon-protocol.js";

/** From this table size on, TRUNCATE is cheaper than DELETE, which leaves dead rows for every scan. */
const largeBytes = 1_000_000;

/**
 * Read the content of a newly migrated database. The returned function restores its rows and sequences,
 * drops newer tables, and throws if the columns of a table have changed.
 */
export async function databaseReset(backend: SqlBackend): Promise<() => Promise<void>> {
  const query = async (text: string, ...params: string[]) =>
    (await backend.query({ text, params })).rows.map((row) => row[0] as string);
  const migrated = (await query(tables)).sort();
  const columns = await query(allColumns);
  const rows = new Map<string, string>();
  for (const table of migrated) {
    const [found] = await query(
      `select jsonb_agg(to_jsonb(t)) from ${table} t having count(*) > 0`,
    );
    if (found) rows.set(table, found);
  }
  return async () => {
    const newTables = (await query(tables)).filter((table) => !migrated.includes(table));
    for (const table of newTables) await query(`drop table if exists ${table} cascade`);
    if (String(await query(allColumns)) !== String(columns)) {
      throw new Error("A test changed the columns of a table and did not change them back.");
    }
    const [large] = await query(isAnyLarge);
    await backend.batch(
      [
        // Disables foreign keys and the triggers of append-only tables.
        "set local session_replication_role = replica",
        ...(large === "t"
          ? [`truncate ${migrated.join()} cascade`]
          : migrated.map((table) => `delete from ${table}`)),
        resetSequences,
        ...[...rows].map(([table, of]) => [
          `insert into ${table} select * from jsonb_populate_recordset(null::${table}, $1::jsonb)`,
          of,
        ]),
      ]
        .map((statement) => [statement].flat())
        .map(([text = "", ...params]) => ({ text, params })),
      { isolationLevel: undefined, readOnly: false, deferrable: false },
    );
  };
}

const inPublicSchema = "relnamespace = 'public'::regnamespace";

const tables = `select oid::regclass::text from pg_class where ${inPublicSchema} and relkind in ('r', 'p')`;

const allColumns = `select a.attrelid::regclass::text || '.' || attname
  from pg_attribute a join pg_class c on c.oid = a.attrelid
  where ${inPublicSchema} and relkind in ('r', 'p') and attnum > 0 and not attisdropped order by 1`;

const isAnyLarge = `select coalesce(bool_or(pg_relation_size(oid) > ${largeBytes}), false)
  from pg_class where ${inPublicSchema} and relkind = 'r'`;

const resetSequences = `select setval(c.oid, s.seqstart, false)
  from pg_class c join pg_sequence s on s.seqrelid = c.oid where ${inPublicSchema}`;
