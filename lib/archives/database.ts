import { userInfo } from "node:os";
import pg from "pg";
import { parseDatabaseUrl } from "../database-url.js";
import { BackupError } from "./failures.js";

export const applicationName = "linguamate backup";

/** Direct, because snapshots and replication need one session: not through a pooler. */
export async function withDatabaseSession<T>(
  databaseUrl: string,
  use: (session: pg.Client) => Promise<T>,
): Promise<T> {
  const { username, searchParams } = parseDatabaseUrl(databaseUrl);
  const hasUser = username !== "" || searchParams.has("user");
  const session = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: 10_000,
    application_name: applicationName,
    ...(hasUser ? {} : { user: userInfo().username }),
  });
  // The statement in progress rejects too.
  session.on("error", () => {});
  try {
    await session.connect();
  } catch (error) {
    if ((error as { code?: string }).code === databaseMissing) throw error;
    throw new BackupError(`The database cannot be reached: ${messageOf(error)}`, { cause: error });
  }
  try {
    return await use(session);
  } finally {
    await session.end().catch(() => {});
  }
}

/** invalid_catalog_name */
export const databaseMissing = "3D000";

function messageOf(error: unknown): string {
  const inner = error instanceof AggregateError ? error.errors[0] : error;
  return inner instanceof Error ? inner.message : String(inner);
}

export interface ServerVersion {
  /** Such as 15.20. */
  text: string;
  major: number;
}

export async function serverVersion(session: pg.Client): Promise<ServerVersion> {
  const { rows } = await session.query(
    "select split_part(current_setting('server_version'), ' ', 1) as text, current_setting('server_version_num')::int / 10000 as major",
  );
  return rows[0];
}

/** Of the whole server; a copy or a restored one has the same. */
export async function systemIdOf(session: pg.Client): Promise<string> {
  const { rows } = await session.query(
    "select system_identifier::text as id from pg_control_system()",
  );
  return rows[0].id;
}

/** Sequences have no rows; a partitioned table has those of its partitions. */
export async function countRows(session: pg.Client): Promise<Record<string, number>> {
  const { rows: tables } = await session.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')
       and n.nspname !~ '^pg_(toast|temp)'
       and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
     order by 1`,
  );
  const rows: Record<string, number> = {};
  for (const { name } of tables) {
    const { rows: counted } = await session.query(`select count(*)::float8 as rows from ${name}`);
    rows[name] = counted[0].rows;
  }
  return rows;
}

export async function appliedMigrations(session: pg.Client): Promise<string[]> {
  const { rows: found } = await session.query(
    "select to_regclass('schema_migrations') is not null as present",
  );
  if (!found[0].present) return [];
  const { rows } = await session.query<{ name: string }>(
    `select name from schema_migrations order by name collate "C"`,
  );
  return rows.map(({ name }) => name);
}
