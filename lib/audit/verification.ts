import { asc, desc, gt, lte, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { auditLog, auditRetirements, auditSeals } from "../db/schema/security.js";
import { isRightful, type Retirement } from "./retirement.js";
import {
  chained,
  checkSigned,
  digest,
  genesis,
  rowsPerSealMax,
  type Seal,
  sealText,
  utc,
} from "./seal.js";

/**
 * What is wrong. `altered`: rows or a seal say something else than was sealed, or there are more of them.
 * `deleted`: some are missing. `truncated`: all are missing up to the end. `unsealed`: rows that should
 * have been sealed were not. `unknown_key`: the seal's data key is not set, so nobody can tell.
 */
export const Finding = z.strictObject({
  kind: z.enum(["altered", "deleted", "truncated", "unsealed", "unknown_key"]),
  what: z.enum(["rows", "seal"]),
  firstId: z.int(),
  lastId: z.int(),
});
export type Finding = z.infer<typeof Finding>;

export const AuditVerification = z.strictObject({
  isIntact: z.boolean(),
  /** At most a hundred of them. */
  findings: z.array(Finding),
  seals: z.int(),
  rows: z.int(),
  /** The id up to which everything was compared; the next run may begin there. */
  verifiedTo: z.int(),
  /** False when the time was over before the end was reached. */
  isComplete: z.boolean(),
  /** The rows up to this one were dropped because of their age. */
  retiredTo: z.int(),
  /** Whether the role that asked may only add rows, or is merely kept by triggers from more. */
  protectedBy: z.enum(["grants", "triggers"]),
});
export type AuditVerification = z.infer<typeof AuditVerification>;

/** The last seal that somebody saw elsewhere: in the SECURITY lines. */
export interface Anchor {
  lastId: number;
  hash: string;
}

interface Options {
  /** Begin after the seal of this row. */
  from?: number;
  anchor?: Anchor | undefined;
}

const findingsMax = 100;
const sealsPerPage = 500;
/** A row is five minutes old when it may be sealed, and seals are made each hour. */
const unsealedAfter = sql`interval '2 hours'`;

/**
 * Compare the log with its seals, until `endMs` (by `performance.now()`). It reads only. What was cut off
 * together with its seals, an anchor alone can tell.
 */
export async function verifyAudit(
  ctx: Context,
  endMs: number,
  { from = 0, anchor }: Options = {},
): Promise<AuditVerification> {
  const findings: Finding[] = [];
  const sum = { seals: 0, rows: 0 };
  const [{ newestId, protectedBy }, retirement, before] = await Promise.all([
    readLog(ctx),
    lastRetirement(ctx),
    sealBefore(ctx, from),
  ]);
  const retiredTo = await rightfullyRetiredTo(ctx, retirement);
  let previous = before;
  let isComplete = false;
  const missing: Finding[] = [];
  let isAnyThere = false;
  while (!isComplete && performance.now() < endMs) {
    const page = await sealsAfter(ctx, previous?.lastId ?? 0);
    isComplete = page.length < sealsPerPage;
    for (const group of groupsOf(page)) {
      if (performance.now() >= endMs) {
        isComplete = false;
        break;
      }
      const live = group.filter(({ lastId }) => lastId > retiredTo);
      const found = await rowsOf(ctx, live);
      for (const seal of group) {
        findings.push(...checkSeal(ctx, seal, previous));
        previous = seal;
        sum.seals += 1;
      }
      for (const seal of live) {
        const { count, rowsDigest } = found.get(seal.lastId) ?? { count: 0, rowsDigest: "" };
        sum.rows += count;
        isAnyThere ||= count > 0;
        const finding = checkRows(seal, count, rowsDigest, newestId);
        if (finding && finding.kind !== "altered") missing.push(finding);
        else if (finding) findings.push(finding);
      }
    }
  }
  // Rows that came after do not hide that the whole of the sealed log is gone.
  findings.push(...(isAnyThere ? missing : missing.map(truncated)));
  if (isComplete) {
    findings.push(...(await findUnsealed(ctx, previous?.lastId ?? 0)));
    if (anchor) findings.push(...(await checkAnchor(ctx, anchor)));
  }
  return {
    isIntact: findings.length === 0,
    findings: merged(findings).slice(0, findingsMax),
    ...sum,
    verifiedTo: previous?.lastId ?? 0,
    isComplete,
    retiredTo,
    protectedBy,
  };
}

async function readLog(ctx: Context) {
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

function sealsAfter(ctx: Context, lastId: number): Promise<Seal[]> {
  return ctx.db
    .select(sealColumns)
    .from(auditSeals)
    .where(gt(auditSeals.lastId, lastId))
    .orderBy(asc(auditSeals.lastId))
    .limit(sealsPerPage);
}

async function sealBefore(ctx: Context, id: number): Promise<Seal | undefined> {
  if (id === 0) return undefined;
  const [seal] = await ctx.db
    .select(sealColumns)
    .from(auditSeals)
    .where(lte(auditSeals.lastId, id))
    .orderBy(desc(auditSeals.lastId))
    .limit(1);
  return seal;
}

async function lastRetirement(ctx: Context): Promise<Retirement | undefined> {
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

/** A retirement that somebody made up, or of a seal that was not old, excuses nothing. */
async function rightfullyRetiredTo(
  ctx: Context,
  retirement: Retirement | undefined,
): Promise<number> {
  if (!retirement) return 0;
  const seal = await sealBefore(ctx, retirement.lastId);
  if (seal?.lastId !== retirement.lastId) return 0;
  const isGenuine = checkSigned(ctx.env, sealText(seal), seal) === "fits";
  return isGenuine && isRightful(ctx.env, retirement, seal.at) ? retirement.lastId : 0;
}

/** Consecutive seals, of so many rows together that a statement hashes them well within its deadline. */
function groupsOf(seals: Seal[]): Seal[][] {
  const groups: Seal[][] = [];
  let rows = Number.POSITIVE_INFINITY;
  for (const seal of seals) {
    rows += seal.rows;
    if (rows > rowsPerSealMax) {
      groups.push([]);
      rows = seal.rows;
    }
    groups.at(-1)?.push(seal);
  }
  return groups;
}

/** What the log holds where each seal says that its rows are. */
async function rowsOf(ctx: Context, seals: Seal[]) {
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

function checkSeal(ctx: Context, seal: Seal, previous: Seal | undefined): Finding[] {
  const { firstId, lastId } = seal;
  const found: Finding[] = [];
  const [hash, end] = previous ? [previous.hash, previous.lastId] : [genesis, 0];
  if (seal.previous !== hash && firstId > end + 1) {
    found.push({ kind: "deleted", what: "seal", firstId: end + 1, lastId: firstId - 1 });
  } else if (seal.previous !== hash || firstId !== end + 1) {
    found.push({ kind: "altered", what: "seal", firstId, lastId });
  }
  const signed = checkSigned(ctx.env, sealText(seal), seal);
  if (signed === "fits") return found;
  const kind = signed === "unknown_key" ? "unknown_key" : "altered";
  return [...found, { kind, what: "seal", firstId, lastId }];
}

function checkRows(
  { firstId, lastId, rows, hash, previous }: Seal,
  count: number,
  rowsDigest: string,
  newestId: number,
): Finding | undefined {
  const place = { what: "rows", firstId, lastId } as const;
  if (count < rows) return { kind: newestId < lastId ? "truncated" : "deleted", ...place };
  const isAsSealed = count === rows && chained(previous, rowsDigest) === hash;
  return isAsSealed ? undefined : { kind: "altered", ...place };
}

const truncated = (finding: Finding): Finding => ({ ...finding, kind: "truncated" });

async function findUnsealed(ctx: Context, sealedTo: number): Promise<Finding[]> {
  const { rows } = await ctx.db.execute<{ first: string | null; last: string | null }>(sql`
    select cast(min(id) as text) as first, cast(max(id) as text) as last
    from ${auditLog}
    where id > ${sealedTo}
      and (at < now() - ${unsealedAfter} or at > now() + interval '5 minutes')`);
  const { first = null, last = null } = rows[0] ?? {};
  if (first === null || last === null) return [];
  return [{ kind: "unsealed", what: "rows", firstId: Number(first), lastId: Number(last) }];
}

async function checkAnchor(ctx: Context, { lastId, hash }: Anchor): Promise<Finding[]> {
  const seal = await sealBefore(ctx, lastId);
  if (seal?.lastId === lastId && seal.hash === hash) return [];
  const kind = seal?.lastId === lastId ? "altered" : "truncated";
  return [{ kind, what: "seal", firstId: lastId, lastId }];
}

/** Neighbours of one kind as one. */
function merged(findings: Finding[]): Finding[] {
  const all: Finding[] = [];
  for (const finding of findings) {
    const last = all.at(-1);
    const isSame = last?.kind === finding.kind && last.what === finding.what;
    if (last && isSame && last.lastId + 1 === finding.firstId) last.lastId = finding.lastId;
    else all.push({ ...finding });
  }
  return all;
}
