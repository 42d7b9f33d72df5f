import { randomBytes } from "node:crypto";
import pg from "pg";
import { type BackupContext, readArchive, verifyArchive } from "./archive.js";
import {
  applicationName,
  countRows,
  databaseMissing,
  serverVersion,
  withDatabaseSession,
} from "./database.js";
import { BackupError, BackupRefusedError } from "./failures.js";
import type { DumpManifest } from "./manifest.js";
import { connectionTo, databaseNameOf, feed, requireTool, withDatabase } from "./postgres-tools.js";

/** Recognises databases that an interrupted restore has left. */
const comment = "Unfinished restore of a backup of linguamate";

export interface Restored {
  database: string;
  rows: number;
  /** The name under which a replaced database is kept. */
  kept: string | undefined;
}

/**
 * Restores into a new database, compares the row counts, prepares it, and only then gives it the name of the target in one
 * transaction: after a kill the target is either untouched or complete. Throws `BackupRefusedError` before any write if
 * the target has tables and is not named in `replace`, is in use, or the archive is not intact or of a newer release.
 */
export async function restoreDump(
  context: BackupContext,
  manifest: DumpManifest,
  {
    replace,
    migrations,
    prepare,
    onVerified,
  }: {
    /** The name of a database that may be replaced. */
    replace?: string | undefined;
    /** Those that this release knows. */
    migrations: readonly string[];
    /** Called for the filled database before it gets its name. */
    prepare: (databaseUrl: string) => Promise<void>;
    onVerified?: () => void;
  },
): Promise<Restored> {
  const { databaseUrl, environment } = context;
  const target = databaseNameOf(databaseUrl);
  refuseNewer(manifest, migrations);
  const state = await stateOf(databaseUrl);
  if (state === "full" && replace !== target) {
    throw new BackupRefusedError(
      replace === undefined
        ? `The database ${target} has tables. To replace it, add: --replace ${target}`
        : `--replace ${replace} does not name the database of DATABASE_URL, ${target}.`,
    );
  }
  return withDatabaseSession(withDatabase(databaseUrl, "postgres"), async (server) => {
    await refuseSecond(server, target);
    const { major } = await serverVersion(server);
    const archived = Number.parseInt(manifest.postgres, 10);
    if (archived > major) {
      throw new BackupRefusedError(
        `The backup is of PostgreSQL ${manifest.postgres}; this server is ${major}.`,
      );
    }
    await requireTool("pg_restore", Math.max(major, archived), environment);
    await refuseIfInUse(server, target);
    await verifyArchive(context, manifest);
    onVerified?.();
    await dropUnfinished(server, target, context.warn);
    const suffix = randomBytes(4).toString("hex");
    const made = `${target}_restore_${suffix}`;
    await createLike(server, made, state === "absent" ? undefined : target);
    try {
      await fill(context, manifest, withDatabase(databaseUrl, made));
      await prepare(withDatabase(databaseUrl, made));
      // It took long since this was looked at.
      if (state === "empty" && (await stateOf(databaseUrl)) === "full") {
        throw new BackupRefusedError(`The database ${target} has tables now.`);
      }
      const kept = await takeName(server, databaseUrl, { made, target, state, suffix });
      const rows = Object.values(manifest.rows).reduce((sum, count) => sum + count, 0);
      return { database: target, rows, kept };
    } catch (error) {
      await server.query("rollback").catch(() => {});
      await server.query(`drop database if exists ${name(made)}`).catch(() => {});
      throw error;
    }
  });
}

const filling = "-filling";
const copyComment = "Copy of a restore drill of ";

/**
 * Restores into a database of its own on the same server, which has the name `copy` only when it is complete. What an
 * earlier try has left is removed.
 */
export async function restoreCopy(
  context: BackupContext,
  manifest: DumpManifest,
  copy: string,
): Promise<void> {
  const { databaseUrl, environment } = context;
  await withDatabaseSession(databaseUrl, async (server) => {
    const { major } = await serverVersion(server);
    await requireTool("pg_restore", major, environment);
    const made = `${copy}${filling}`;
    await server.query(`drop database if exists ${name(made)} with (force)`);
    await createLike(server, made, databaseNameOf(databaseUrl));
    await fill(context, manifest, withDatabase(databaseUrl, made));
    const text = copyComment + context.now().toISOString();
    await server.query(`comment on database ${name(made)} is ${pg.escapeLiteral(text)}`);
    await server.query(`alter database ${name(made)} rename to ${name(copy)}`);
  });
}

/** An unfinished one counts as made long ago. */
export async function listDrillCopies(
  databaseUrl: string,
  prefix: string,
): Promise<{ name: string; createdAt: Date }[]> {
  return withDatabaseSession(databaseUrl, async (server) => {
    const { rows } = await server.query<{ name: string; comment: string | null }>(
      `select datname as name, shobj_description(oid, 'pg_database') as comment
       from pg_database where starts_with(datname, $1)`,
      [prefix],
    );
    return rows.flatMap(({ name, comment: text }) => {
      if (text === comment) return [{ name, createdAt: new Date(0) }];
      if (!text?.startsWith(copyComment)) return [];
      return [{ name, createdAt: new Date(text.slice(copyComment.length)) }];
    });
  });
}

export async function dropDrillCopy(databaseUrl: string, copy: string): Promise<void> {
  await withDatabaseSession(databaseUrl, (server) =>
    server.query(`drop database if exists ${name(copy)} with (force)`),
  );
}

function refuseNewer({ migrationHead, release }: DumpManifest, known: readonly string[]): void {
  if (migrationHead === null || known.includes(migrationHead)) return;
  throw new BackupRefusedError(
    `The backup has the migration ${migrationHead}, which this release does not know. Restore it with release ${release}.`,
  );
}

type State = "absent" | "empty" | "full";

async function stateOf(databaseUrl: string): Promise<State> {
  try {
    return await withDatabaseSession(databaseUrl, async (session) => {
      const { rows } = await session.query(
        `select exists (
           select from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
             and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
         ) as full`,
      );
      return rows[0].full ? "full" : "empty";
    });
  } catch (error) {
    if ((error as { code?: string }).code === databaseMissing) return "absent";
    throw error;
  }
}

/** It would remove the unfinished database of the first. The lock ends with the session. */
async function refuseSecond(server: pg.Client, target: string): Promise<void> {
  const { rows } = await server.query(
    "select pg_try_advisory_lock(hashtextextended($1, 0)) as ok",
    [`${comment}: ${target}`],
  );
  if (rows[0].ok) return;
  throw new BackupRefusedError(`Another restore into ${target} runs: wait for its end.`);
}

/** A database with connections cannot be renamed, which is better known before the restore than after it. */
async function refuseIfInUse(server: pg.Client, target: string): Promise<void> {
  const { rows } = await server.query(
    `select count(*)::int as connections from pg_stat_activity
     where datname = $1 and application_name <> $2`,
    // A session that this program has just closed may still be listed.
    [target, applicationName],
  );
  const { connections } = rows[0];
  if (connections === 0) return;
  throw new BackupRefusedError(
    `The database ${target} has ${connections} open connections: stop the backend and other clients first.`,
  );
}

/** Not those of other targets: another restore may be running. */
async function dropUnfinished(
  server: pg.Client,
  target: string,
  warn: (text: string) => void,
): Promise<void> {
  const { rows } = await server.query<{ datname: string }>(
    `select datname from pg_database d
     where shobj_description(d.oid, 'pg_database') = $1
       and starts_with(datname, $2)
       and not exists (select from pg_stat_activity a where a.datid = d.oid)`,
    [comment, `${target}_restore_`],
  );
  for (const { datname } of rows) {
    await server.query(`drop database if exists ${name(datname)}`);
    warn(`Removed ${datname}, which an interrupted restore had left.`);
  }
}

async function createLike(
  server: pg.Client,
  made: string,
  model: string | undefined,
): Promise<void> {
  const { rows } = await server.query(
    "select datcollate, datctype from pg_database where datname = $1",
    [model ?? "template0"],
  );
  const { datcollate, datctype } = rows[0];
  await server.query(
    `create database ${name(made)} template template0 encoding 'UTF8'
     lc_collate ${pg.escapeLiteral(datcollate)} lc_ctype ${pg.escapeLiteral(datctype)}`,
  );
  await server.query(`comment on database ${name(made)} is ${pg.escapeLiteral(comment)}`);
}

async function fill(context: BackupContext, manifest: DumpManifest, url: string): Promise<void> {
  const { option, variables } = connectionTo(url);
  // One commit is faster than one for each statement. Roles of the old server need not exist on this one.
  const args = ["--single-transaction", "--no-owner", "--no-privileges", "--no-password", option];
  const environment = { ...context.environment, ...variables };
  await feed({ tool: "pg_restore", args, environment }, readArchive(context, manifest));
  await withDatabaseSession(url, async (session) => {
    const rows = await countRows(session);
    const tables = new Set([...Object.keys(rows), ...Object.keys(manifest.rows)]);
    const different = [...tables].filter((table) => rows[table] !== manifest.rows[table]);
    if (different.length > 0) {
      throw new BackupError(`Other row counts than in the backup: ${different.join(", ")}.`);
    }
    await session.query("analyze");
  });
}

/** Returns the name under which the old database is kept, if it had tables. */
async function takeName(
  server: pg.Client,
  databaseUrl: string,
  { made, target, state, suffix }: { made: string; target: string; state: State; suffix: string },
): Promise<string | undefined> {
  const old = `${target}_before_${suffix}`;
  await server.query("begin");
  if (state !== "absent") {
    await server.query(`alter database ${name(target)} rename to ${name(old)}`);
  }
  await server.query(`alter database ${name(made)} rename to ${name(target)}`);
  await server.query(`comment on database ${name(target)} is null`);
  await server.query("commit");
  if (state === "absent") return undefined;
  // No client connects under this name, so an empty database stays empty.
  if (state === "full" || (await stateOf(withDatabase(databaseUrl, old))) !== "empty") return old;
  await server.query(`drop database ${name(old)}`);
  return undefined;
}

const name = (text: string) => pg.escapeIdentifier(text);
