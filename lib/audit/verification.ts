import * as z from "zod";
import type { Context } from "../context.js";
import {
  lastRetirement,
  readLog,
  rowsOf,
  sealBefore,
  sealsAfter,
  sealsPerPage,
  unsealedRange,
} from "./read-log.js";
import { isRightful, type Retirement } from "./retirement.js";
import { chained, checkSigned, genesis, rowsPerSealMax, type Seal, sealText } from "./seal.js";

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
  let retiredTo = await rightfullyRetiredTo(ctx, retirement);
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
  // What is missing may have been retired while it was being compared.
  if (missing.length > 0) retiredTo = await rightfullyRetiredTo(ctx, await lastRetirement(ctx));
  const lost = missing.filter(({ lastId }) => lastId > retiredTo);
  // Rows that came after do not hide that the whole of the sealed log is gone.
  findings.push(...(isAnyThere ? lost : lost.map(truncated)));
  if (isComplete) {
    const unsealed = await unsealedRange(ctx, previous?.lastId ?? 0);
    if (unsealed) findings.push({ kind: "unsealed", what: "rows", ...unsealed });
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
