import { sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { sessions, users } from "../../db/schema/accounts.js";
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

/**
 * Inserts the row of each session that only Redis has: it began after the backup that Postgres was restored from. Its
 * refresh token is then ahead of the row, which refresh accepts (docs/decisions/013). Deletes the keys of accounts that
 * Postgres does not have. Safe to repeat. Rejects while a store is down.
 */
export async function restoreSessionRows(
  ctx: Context,
): Promise<{ restored: number; withoutAccount: number }> {
  const counts = { restored: 0, withoutAccount: 0 };
  let cursor = "0";
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
  } while (cursor !== "0");
  return counts;
}

async function restorePage(ctx: Context, keys: string[]) {
  if (keys.length === 0) return { restored: 0, withoutAccount: 0 };
  const found = await readKeys(ctx, keys);
  const now = timestamp(ctx.now);
  const idle = (isGuest: boolean) => sql.raw(`interval '${idleTimeoutMs(isGuest)} milliseconds'`);
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
      on conflict (id) do nothing
      returning id
    )
    select array(select id from restored) as restored,
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
