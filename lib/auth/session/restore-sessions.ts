import { eq, sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { backupCanaries } from "../../db/schema/backups.js";
import { cronCursors } from "../../db/schema/crons.js";
import { securitySettings } from "../../db/schema/gate.js";
import { timestamp } from "../../db/timestamp.js";
import { roundTrip } from "../../redis/client.js";
import { enforceTimeoutMs } from "../../redis/enforce.js";
import { idleTimeoutMs } from "./lifetime.js";
import { endSessionKeys, sessionKey } from "./session-keys.js";

const keysPerScan = 500;
const prefix = sessionKey("");

interface KeyFields {
  id: string;
  user_id: string;
  created: string;
  expires: string | null;
}

/** Where the scan of Redis continues, with the start of the restore that it belongs to. */
const cursorName = "restore_sessions";

interface RestoredSessions {
  restored: number;
  withoutAccount: number;
  /** False when the time was up: the next call continues. */
  isComplete: boolean;
}

/**
 * Inserts the row of each session that only Redis has: it began after the backup that Postgres was restored from. Its
 * refresh token is then ahead of the row, which refresh accepts (docs/decisions/013). A session that was live at the
 * backup gets its full idle time, because it may have been refreshed since. Deletes the keys of accounts that Postgres
 * does not have. Until `endMs` (`performance.now()`). Safe to repeat. Rejects while a store is down.
 */
export async function restoreSessionRows(ctx: Context, endMs: number): Promise<RestoredSessions> {
  const counts = { restored: 0, withoutAccount: 0 };
  const begunMs = await readBegunMs(ctx);
  let cursor = await readPosition(ctx, begunMs);
  do {
    const trip = roundTrip(ctx);
    const [[next, keys]] = await Promise.all([
      trip.command<[string, string[]]>(
        ...["SCAN", cursor, "MATCH", `${prefix}*`, "COUNT", String(keysPerScan)],
      ),
      trip.send({ timeoutMs: enforceTimeoutMs }),
    ]);
    const page = await restorePage(ctx, keys);
    counts.restored += page.restored;
    counts.withoutAccount += page.withoutAccount;
    cursor = String(next);
  } while (cursor !== "0" && performance.now() < endMs);
  const isComplete = cursor === "0";
  await writePosition(ctx, isComplete ? null : `${begunMs} ${cursor}`);
  return { ...counts, isComplete };
}

async function readBegunMs({ db }: Context): Promise<number> {
  const { restoreBegunAt } = securitySettings;
  const [row] = await db.select({ restoreBegunAt }).from(securitySettings);
  return row?.restoreBegunAt.getTime() ?? 0;
}

async function readPosition({ db }: Context, begunMs: number): Promise<string> {
  const [row] = await db.select().from(cronCursors).where(eq(cronCursors.name, cursorName));
  const [ofMs, cursor] = row?.position.split(" ") ?? [];
  return cursor && Number(ofMs) === begunMs ? cursor : "0";
}

async function writePosition({ db }: Context, position: string | null): Promise<void> {
  if (position === null) await db.delete(cronCursors).where(eq(cronCursors.name, cursorName));
  else {
    await db
      .insert(cronCursors)
      .values({ name: cursorName, position })
      .onConflictDoUpdate({ target: cronCursors.name, set: { position } });
  }
}

async function restorePage(ctx: Context, keys: string[]) {
  if (keys.length === 0) return { restored: 0, withoutAccount: 0 };
  const found = await readKeys(ctx, keys);
  const now = timestamp(ctx.now);
  const idle = (isGuest: boolean) => sql.raw(`interval '${idleTimeoutMs(isGuest)} milliseconds'`);
  // The newest canary before the restore began is as old as the backup, up to an hour.
  const backedUpAt = sql`coalesce((
    select max(at) from ${backupCanaries}
    where at < (select restore_begun_at from ${securitySettings})), ${now})`;
  const { rows } = await ctx.db.execute<{ restored: string[]; homeless: string[] }>(sql`
    with held as (
      select id, cast(user_id as uuid) as user_id,
        to_timestamp(cast(created as double precision) / 1000) as created,
        to_timestamp(cast(expires as double precision) / 1000) as expires
      from jsonb_to_recordset(cast(${JSON.stringify(found)} as jsonb))
        as held (id text, user_id text, created text, expires text)
    ), restored as (
      insert into ${sessions} (id, user_id, auth_methods, authenticated_at, created_at, last_seen_at,
        idle_expires_at, expires_at)
      -- The methods are unknown: an operator shows the second factor again.
      select held.id, held.user_id, case when is_guest then '{}' else array['pwd'] end, created, created,
        ${now}, ${now} + case when is_guest then ${idle(true)} else ${idle(false)} end, expires
      from held join ${users} as account on account.id = held.user_id
      where account.purge_at is null and account.suspended_at is null and account.merged_into is null
      on conflict (id) do update
        set idle_expires_at = greatest(${sessions.idleExpiresAt}, excluded.idle_expires_at)
        where ${sessions.revokedAt} is null and ${sessions.userId} = excluded.user_id
          and ${sessions.idleExpiresAt} > ${backedUpAt}
      returning id, xmax = 0 as is_new
    )
    select array(select id from restored where is_new) as restored,
      array(select id from held where not exists (
        select 1 from ${users} as account where account.id = held.user_id)) as homeless`);
  const { restored = [], homeless = [] } = rows[0] ?? {};
  if (homeless.length > 0) {
    const trip = roundTrip(ctx);
    await Promise.all([endSessionKeys(trip, homeless), trip.send({ timeoutMs: enforceTimeoutMs })]);
  }
  return { restored: restored.length, withoutAccount: homeless.length };
}

async function readKeys(ctx: Context, keys: string[]): Promise<KeyFields[]> {
  const trip = roundTrip(ctx);
  const [fields] = await Promise.all([
    Promise.all(keys.map((key) => trip.hashFields(key, "user", "created", "expires"))),
    trip.send({ timeoutMs: enforceTimeoutMs }),
  ]);
  return fields.flatMap(([userId, created, expires], at) =>
    userId && created
      ? [
          {
            id: keys[at]?.slice(prefix.length) ?? "",
            user_id: userId,
            created,
            expires: expires || null,
          },
        ]
      : [],
  );
}
