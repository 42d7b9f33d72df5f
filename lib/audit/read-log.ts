import { asc, desc, gt, lte, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { auditLog, auditRetirements, auditSeals } from "../db/schema/security.js";
import type { AuditRetirement } from "./retirement.js";
import { digest, type Seal, utc } from "./seal.js";

export const sealsPerPage = 500;
/** Rows are sealed 5 minutes after they are written, once an hour. */
const unsealedAfter = sql`interval '2 hours'`;

export async function readLogStatus(ctx: Context) {
  const { rows } = await ctx.db.execute<{ newest: string; may_change: boolean }>(sql`
    select cast(coalesce(max(id), 0) as text) as newest,
      has_table_privilege('audit_log', 'UPDATE, DELETE, TRUNCATE') as may_change
    from ${auditLog}`);
  const protectedBy: "grants" | "triggers" = rows[0]?.may_change === false ? "grants" : "triggers";
  return { newestId: Number(rows[0]?.newest ?? 0), protectedBy };
}

const sealColumns = {
  firstId: auditSeals.firstId,
  lastId: auditSeals.lastId,
  rows: auditSeals.rows,
  hash: auditSeals.hash,
  previous: auditSeals.previous,
  hmac: auditSeals.hmac,
  keyId: auditSeals.keyId,
  at: sql<string>`${utc(sql`${auditSeals.at}`)}`,
};

export function sealsAfter(ctx: Context, lastId: number): Promise<Seal[]> {
  return ctx.db
    .select(sealColumns)
    .from(auditSeals)
    .where(gt(auditSeals.lastId, lastId))
    .orderBy(asc(auditSeals.lastId))
    .limit(sealsPerPage);
}

/** The last seal that ends at or before `id`. */
export async function lastSealUpTo(ctx: Context, id: number): Promise<Seal | undefined> {
  if (id === 0) return undefined;
  const [seal] = await ctx.db
    .select(sealColumns)
    .from(auditSeals)
    .where(lte(auditSeals.lastId, id))
    .orderBy(desc(auditSeals.lastId))
    .limit(1);
  return seal;
}

export async function lastRetirement(ctx: Context): Promise<AuditRetirement | undefined> {
  const [last] = await ctx.db
    .select({
      lastId: auditRetirements.lastId,
      ageDays: auditRetirements.ageDays,
      hmac: auditRetirements.hmac,
      keyId: auditRetirements.keyId,
      at: sql<string>`${utc(sql`${auditRetirements.at}`)}`,
    })
    .from(auditRetirements)
    .orderBy(desc(auditRetirements.lastId))
    .limit(1);
  return last;
}

/** By the last ID of each seal; no entry for a seal without rows. */
export async function rowDigestsOf(ctx: Context, seals: Seal[]) {
  if (seals.length === 0) return new Map<number, { count: number; rowsDigest: string }>();
  const [firsts, lasts] = [seals.map(({ firstId }) => firstId), seals.map(({ lastId }) => lastId)];
  const { rows } = await ctx.db.execute<{ last: string; count: number; digest: string | null }>(sql`
    select cast(seal.last_id as text) as last, cast(count(log.id) as integer) as count,
      ${digest(sql`log`)} as digest
    from unnest(cast(${sql.param(firsts)} as bigint[]), cast(${sql.param(lasts)} as bigint[]))
      as seal (first_id, last_id)
    join ${auditLog} as log on log.id between seal.first_id and seal.last_id
    group by seal.last_id`);
  return new Map(
    rows.map(({ last, count, digest }) => [Number(last), { count, rowsDigest: digest ?? "" }]),
  );
}

/** The range of rows that should have a seal by now, or have a time in the future, which delays their seal. */
export async function unsealedRange(ctx: Context, sealedTo: number) {
  const { rows } = await ctx.db.execute<{ first: string | null; last: string | null }>(sql`
    select cast(min(id) as text) as first, cast(max(id) as text) as last
    from ${auditLog}
    where id > ${sealedTo}
      and (at < now() - ${unsealedAfter} or at > now() + interval '5 minutes')`);
  const { first = null, last = null } = rows[0] ?? {};
  if (first === null || last === null) return undefined;
  return { firstId: Number(first), lastId: Number(last) };
}
