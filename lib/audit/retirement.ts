import { and, asc, gt, lt, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { auditRetirements, auditSeals } from "../db/schema/security.js";
import { timestamp } from "../db/timestamp.js";
import type { Env } from "../env.js";
import { recordRemoval } from "./removals.js";
import { checkSigned, sign, utc } from "./seal.js";

/** Signed: rows up to `lastId` were deleted because of their age. Their seals stay. */
export interface AuditRetirement {
  lastId: number;
  ageDays: number;
  hmac: string;
  keyId: string;
  at: string;
}

/** The database function enforces the same minimum. */
const ageDaysMin = 30;

/** Delete rows past the retention, at most 100 seals of them, until `endMs` (`performance.now()`). Signs each deletion. Safe to repeat. */
export async function retireAudit(ctx: Context, endMs: number) {
  const ageDays = Math.max(ageDaysMin, ctx.env.audit.retentionDays);
  const counts = { seals: 0, rows: 0 };
  for (const lastId of await dueSeals(ctx, ageDays)) {
    if (performance.now() >= endMs) break;
    counts.rows += await retire(ctx, lastId, ageDays);
    counts.seals += 1;
  }
  return counts;
}

const sealsPerRun = 100;

async function dueSeals(ctx: Context, ageDays: number): Promise<number[]> {
  const retired = sql`coalesce((select max(last_id) from ${auditRetirements}), 0)`;
  // Days can have 23 or 25 hours in the time zone of the database; verification counts 24. Require both.
  const ours = timestamp(ctx.now);
  const before = sql`least(now() - make_interval(days => ${ageDays}),
    least(now(), ${ours}) - make_interval(hours => ${24 * ageDays}))`;
  const rows = await ctx.db
    .select({ lastId: auditSeals.lastId })
    .from(auditSeals)
    .where(and(lt(auditSeals.at, before), gt(auditSeals.lastId, retired)))
    .orderBy(asc(auditSeals.lastId))
    .limit(sealsPerRun);
  return rows.map(({ lastId }) => lastId);
}

async function retire(ctx: Context, lastId: number, ageDays: number): Promise<number> {
  const { rows } = await ctx.db.execute<{ at: string }>(sql`select ${utc(sql`now()`)} as at`);
  const at = rows[0]?.at ?? "";
  const { hmac, keyId } = sign(ctx.env, textOf({ lastId, ageDays, at }));
  const [, dropped] = await ctx.db.batch([
    ctx.db.execute(sql`
      insert into ${auditRetirements} (last_id, age_days, hmac, key_id, at)
      values (${lastId}, ${ageDays}, ${hmac}, ${keyId}, cast(${at} as timestamptz))
      on conflict do nothing`),
    ctx.db.execute<{ dropped: string }>(sql`
      with gone as materialized (
        select retire_audit_rows(cast(${lastId} as bigint), cast(${ageDays} as integer)) as rows,
          (select at from ${auditSeals} where last_id = ${lastId}) as removed_to
      ), ${recordRemoval(ctx, "audit_log", sql`select * from gone`)}
      select cast(rows as text) as dropped from gone`),
  ]);
  return Number(dropped.rows[0]?.dropped ?? 0);
}

export function isValidRetirement(
  env: Env,
  retirement: AuditRetirement,
  sealedAt: string,
): boolean {
  const { lastId, ageDays, at } = retirement;
  const ageMs = new Date(at).getTime() - new Date(sealedAt).getTime();
  const isOldEnough = ageDays >= ageDaysMin && ageMs >= ageDays * 86_400_000;
  return isOldEnough && checkSigned(env, textOf({ lastId, ageDays, at }), retirement) === "fits";
}

const textOf = ({ lastId, ageDays, at }: Pick<AuditRetirement, "lastId" | "ageDays" | "at">) =>
  JSON.stringify(["audit-retirement-v1", lastId, ageDays, at]);
