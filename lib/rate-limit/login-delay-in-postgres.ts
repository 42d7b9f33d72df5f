import { randomUUID } from "node:crypto";
import { eq, inArray, type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { loginDelays } from "../db/schema/limits.js";
import type { LimitCount, LimitValues } from "./count.js";
import { type DelayPass, delayCount, delayKey, passMs } from "./login-delay.js";
import type { Limit } from "./policies.js";

/** `reserveAttempt` while Redis is down. The statement also deletes a few expired rows. */
export async function reserveAttemptInPostgres(
  ctx: Context,
  limit: Limit,
  value: string,
  { ip = "", device = "" }: Pick<LimitValues, "ip" | "device">,
): Promise<LimitCount> {
  const key = delayKey(limit, value);
  const reservation = randomUUID();
  const now = sql`cast(${ctx.now.getTime()} as bigint)`;
  const end = sql`cast(${ctx.now.getTime() + limit.windowMs} as bigint)`;
  const delays = sql`cast(${sql.param([...(limit.delaysMs ?? [])])} as bigint[])`;
  const delayedAfter = (failures: SQL) =>
    sql`case when ${failures} < ${limit.max} then 0
      else ${now} + (${delays})[least(${failures} - ${limit.max} + 1, cardinality(${delays}))] end`;
  const failures = sql`(case when held.expires_at_ms <= ${now} then 1 else held.failures + 1 end)`;
  const unlessDelayed = (column: SQL, changed: SQL) =>
    sql`${column} = case when held.delayed_until_ms > ${now} then held.${column} else ${changed} end`;
  const isPassing = sql`(held.delayed_until_ms > ${now} and held.pass_until_ms > ${now}
    and held.pass_taken_by is null and (held.pass_ip = ${ip} or held.pass_device = ${device}))`;
  const tookPass = sql`coalesce(pass_taken_by = ${reservation}, false)`;
  const { rows } = await ctx.db.execute<ReservedRow>(sql`
    with pruned as (
      delete from ${loginDelays} where key in (
        select key from ${loginDelays} where expires_at_ms < ${now} and key <> ${key}
        limit 20 for update skip locked
      )
    )
    insert into ${loginDelays} as held
      (key, failures, delayed_until_ms, expires_at_ms, last_reservation)
    values (${key}, 1, ${delayedAfter(sql`1`)}, ${end}, ${reservation})
    on conflict (key) do update set
      ${unlessDelayed(sql`failures`, failures)},
      ${unlessDelayed(sql`delayed_until_ms`, delayedAfter(failures))},
      ${unlessDelayed(sql`expires_at_ms`, end)},
      ${unlessDelayed(sql`last_reservation`, sql`excluded.last_reservation`)},
      pass_taken_by = case when ${isPassing} then excluded.last_reservation else held.pass_taken_by end
    returning failures, delayed_until_ms, ${tookPass} as took_pass,
      last_reservation = ${reservation} or ${tookPass} as allowed`);
  const [row] = rows;
  if (!row) throw new Error("The reserved attempt was not returned.");
  return delayCount(limit, value, ctx.now, {
    allowed: row.allowed,
    failures: row.failures,
    delayedUntilMs: Number(row.delayed_until_ms),
    tookPass: row.took_pass,
  });
}

export async function releaseAttemptInPostgres(ctx: Context, count: LimitCount): Promise<void> {
  const { limit, value, allowed, resetsAtMs, usedPass } = count;
  if (!allowed) return;
  if (usedPass) {
    const { key } = loginDelays;
    await ctx.db
      .update(loginDelays)
      .set({ passTakenBy: null })
      .where(eq(key, delayKey(limit, value)));
    return;
  }
  await ctx.db.execute(sql`
    update ${loginDelays} set
      failures = failures - 1,
      delayed_until_ms = case
        when failures - 1 < ${limit.max} or delayed_until_ms = ${resetsAtMs} then 0
        else delayed_until_ms
      end
    where key = ${delayKey(limit, value)} and failures > 0`);
}

export async function clearFailuresInPostgres(
  ctx: Context,
  counts: Pick<LimitCount, "limit" | "value">[],
): Promise<void> {
  if (counts.length === 0) return;
  const keys = counts.map(({ limit, value }) => delayKey(limit, value));
  await ctx.db.delete(loginDelays).where(inArray(loginDelays.key, keys));
}

export async function grantPassInPostgres(
  ctx: Context,
  limit: Limit,
  value: string,
  { ip, device }: DelayPass,
): Promise<void> {
  const untilMs = ctx.now.getTime() + passMs;
  const granted = {
    failures: 0,
    delayedUntilMs: 0,
    expiresAtMs: untilMs,
    lastReservation: randomUUID(),
    passIp: ip,
    passDevice: device,
    passUntilMs: untilMs,
    passTakenBy: null,
  };
  await ctx.db
    .insert(loginDelays)
    .values({ key: delayKey(limit, value), ...granted })
    .onConflictDoUpdate({ target: loginDelays.key, set: granted });
}

interface ReservedRow extends Record<string, unknown> {
  failures: number;
  delayed_until_ms: string | number;
  allowed: boolean;
  took_pass: boolean;
}
