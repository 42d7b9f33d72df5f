import * as z from "zod";
import type { BackupKeys } from "./backup-keys.js";
import { withDatabaseSession } from "./database.js";
import { collect, once } from "./digest.js";
import { BackupRefusedError, ObjectMissingError } from "./failures.js";
import { listBackups } from "./manifest.js";
import { parsedJson } from "./parsed-json.js";
import type { ArchiveStore } from "./store/archive-store.js";

export interface Erasure {
  userId: string;
  erasedAt: Date;
}

/** One object that is replaced as a whole, so that no part of it can be missing. */
const name = "erasures/log.age";
const dayMs = 86_400_000;

const Log = z.strictObject({
  /** Of the object itself, so that another one cannot take its place. */
  name: z.literal(name),
  erasures: z.array(z.strictObject({ userId: z.uuid(), erasedAt: z.iso.datetime() })),
});

type Stores = { store: ArchiveStore; keys: BackupKeys };

/** Throws `BackupRefusedError` when it is missing, altered or of another key. */
export async function readErasures(stores: Stores): Promise<Erasure[]> {
  const found = await findErasures(stores);
  if (found) return found;
  throw new BackupRefusedError(`${name} is not in ${stores.store.description}.`);
}

async function findErasures({ store, keys }: Stores): Promise<Erasure[] | undefined> {
  let text: string;
  try {
    text = (await collect(keys.decrypt(store.get(name)))).toString("utf8");
  } catch (error) {
    if (error instanceof ObjectMissingError) return undefined;
    if (!(error instanceof BackupRefusedError)) throw error;
    throw new BackupRefusedError(`${name}: ${error.message}`, { cause: error });
  }
  const log = Log.safeParse(parsedJson(text));
  if (!log.success) throw new BackupRefusedError(`${name} is not the log of erasures.`);
  return log.data.erasures.map(({ userId, erasedAt }) => ({
    userId,
    erasedAt: new Date(erasedAt),
  }));
}

/**
 * Adds the receipts of the database to the log, and removes those older than every backup. Safe to repeat: a receipt that a
 * concurrent run has overwritten is added by the next. Does nothing during a restore, when the database knows less than the
 * log. Throws `BackupRefusedError` for a log that is altered or of another key.
 */
export async function recordErasures(stores: Stores & { databaseUrl: string }): Promise<void> {
  const { complete, broken } = await listBackups(stores.store, stores.keys);
  // A backup that cannot be read may be older than all others.
  const oldest = broken.length > 0 ? undefined : complete[0];
  const since = new Date(oldest ? Date.parse(oldest.createdAt) - dayMs : 0);
  const receipts = await readReceipts(stores.databaseUrl, since);
  if (!receipts) return;
  const found = await findErasures(stores);
  const before = found ?? [];
  const kept = before.filter(({ erasedAt }) => erasedAt >= since);
  const all = new Map([...kept, ...receipts].map((erasure) => [erasure.userId, erasure]));
  if (found && all.size === before.length && kept.length === before.length) return;
  await writeErasures(stores, [...all.values()]);
}

async function writeErasures({ store, keys }: Stores, erasures: Erasure[]): Promise<void> {
  const log = {
    name,
    erasures: erasures.map(({ userId, erasedAt }) => ({
      userId,
      erasedAt: erasedAt.toISOString(),
    })),
  };
  await store.put(name, keys.encrypt(once(JSON.stringify(log))));
}

/** Receipts that are older than `before`, and not in the log. Throws as `readErasures`. */
export async function countUnrecorded(
  stores: Stores & { databaseUrl: string },
  before: Date,
): Promise<number> {
  const recorded = new Set((await readErasures(stores)).map(({ userId }) => userId));
  const { complete } = await listBackups(stores.store, stores.keys);
  const since = new Date(complete[0]?.createdAt ?? before);
  const receipts = (await readReceipts(stores.databaseUrl, since)) ?? [];
  return receipts.filter(({ userId, erasedAt }) => erasedAt < before && !recorded.has(userId))
    .length;
}

/** Undefined while the database is being restored. */
function readReceipts(databaseUrl: string, since: Date): Promise<Erasure[] | undefined> {
  return withDatabaseSession(databaseUrl, async (session) => {
    const { rows: tables } = await session.query(
      "select to_regclass('erasures') is not null as present",
    );
    if (!tables[0].present) return [];
    const { rows: settings } = await session.query(
      "select restore_begun_at > restore_finished_at as restoring from security_settings",
    );
    if (settings[0].restoring) return undefined;
    const { rows } = await session.query<{ id: string; ms: number }>(
      `select user_id::text as id, (extract(epoch from erased_at) * 1000)::float8 as ms
       from erasures where erased_at >= $1`,
      [since],
    );
    return rows.map(({ id, ms }) => ({ userId: id, erasedAt: new Date(Math.floor(ms)) }));
  });
}
