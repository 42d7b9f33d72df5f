import * as z from "zod";
import type { Context } from "../context.js";
import {
  lastRetirement,
  lastSealUpTo,
  readLogStatus,
  rowDigestsOf,
  sealsAfter,
  sealsPerPage,
  unsealedRange,
} from "./read-log.js";
import { type AuditRetirement, isValidRetirement } from "./retirement.js";
import { chained, checkSigned, genesis, rowsPerSealMax, type Seal, sealText } from "./seal.js";

/**
 * `altered`: rows or seal differ, or there are more rows. `deleted`: rows or seals are missing. `truncated`: all rows to the
 * end, or the anchor's seal, are missing. `unsealed`: rows should have a seal. `unknown_key`: the seal's data key is not set.
 */
const Finding = z.strictObject({
  kind: z.enum(["altered", "deleted", "truncated", "unsealed", "unknown_key"]),
  what: z.enum(["rows", "seal"]),
  firstId: z.int(),
  lastId: z.int(),
});
type Finding = z.infer<typeof Finding>;

export const AuditVerification = z.strictObject({
  /** No finding so far: see `isComplete`. */
  isIntact: z.boolean(),
  findings: z.array(Finding),
  seals: z.int(),
  rows: z.int(),
  /** Verified up to this ID; the next run can start here. */
  verifiedTo: z.int(),
  /** False when the time limit was reached first. */
  isComplete: z.boolean(),
  /** Rows up to this ID were deleted because of their age. */
  retiredTo: z.int(),
  /** What prevents changes by our database role: missing privileges, or only triggers. */
  protectedBy: z.enum(["grants", "triggers"]),
});
export type AuditVerification = z.infer<typeof AuditVerification>;

/** A seal from the log lines: the only way to detect truncation together with the seals. */
export interface Anchor {
  lastId: number;
  hash: string;
}

interface Options {
  from?: number;
  anchor?: Anchor | undefined;
}

const findingsMax = 100;

/** Verify seals after `from` and their rows until `endMs` (`performance.now()`), and the anchor; at the end also unsealed rows. Reads only. */
export async function verifyAudit(
  ctx: Context,
  endMs: number,
  { from = 0, anchor }: Options = {},
): Promise<AuditVerification> {
  const findings: Finding[] = [];
  const sum = { seals: 0, rows: 0 };
  const [{ newestId, protectedBy }, retirement, before] = await Promise.all([
    readLogStatus(ctx),
    lastRetirement(ctx),
    lastSealUpTo(ctx, from),
  ]);
  // A run that ended at `from` has seen this seal.
  if (from > 0 && before?.lastId !== from) {
    findings.push({ kind: "truncated", what: "seal", firstId: from, lastId: from });
  }
  let retiredTo = await validRetiredTo(ctx, retirement);
  let previous = before;
  let isComplete = false;
  const missing: Finding[] = [];
  let hasRows = false;
  while (!isComplete && performance.now() < endMs) {
    const page = await sealsAfter(ctx, previous?.lastId ?? 0);
    isComplete = page.length < sealsPerPage;
    for (const group of groupsOf(page)) {
      if (performance.now() >= endMs) {
        isComplete = false;
        break;
      }
      const live = group.filter(({ lastId }) => lastId > retiredTo);
      const found = await rowDigestsOf(ctx, live);
      for (const seal of group) {
        findings.push(...checkSeal(ctx, seal, previous));
        previous = seal;
        sum.seals += 1;
      }
      for (const seal of live) {
        const { count, rowsDigest } = found.get(seal.lastId) ?? { count: 0, rowsDigest: "" };
        sum.rows += count;
        hasRows ||= count > 0;
        const finding = checkRows(seal, count, rowsDigest, newestId);
        if (finding && finding.kind !== "altered") missing.push(finding);
        else if (finding) findings.push(finding);
      }
    }
  }
  // Rows can be retired during the verification.
  if (missing.length > 0) retiredTo = await validRetiredTo(ctx, await lastRetirement(ctx));
  const lost = missing.filter(({ lastId }) => lastId > retiredTo);
  // If all sealed rows are gone, it is a truncation, even if newer rows exist.
  findings.push(...(hasRows ? lost : lost.map(truncated)));
  if (isComplete) {
    const unsealed = await unsealedRange(ctx, previous?.lastId ?? 0);
    if (unsealed) findings.push({ kind: "unsealed", what: "rows", ...unsealed });
  }
  if (anchor) findings.push(...(await checkAnchor(ctx, anchor)));
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

/** A forged retirement, or one of a young seal, is ignored. */
async function validRetiredTo(
  ctx: Context,
  retirement: AuditRetirement | undefined,
): Promise<number> {
  if (!retirement) return 0;
  const seal = await lastSealUpTo(ctx, retirement.lastId);
  if (seal?.lastId !== retirement.lastId) return 0;
  const isGenuine = checkSigned(ctx.env, sealText(seal), seal) === "fits";
  return isGenuine && isValidRetirement(ctx.env, retirement, seal.at) ? retirement.lastId : 0;
}

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
  const seal = await lastSealUpTo(ctx, lastId);
  if (seal?.lastId === lastId && seal.hash === hash) return [];
  const kind = seal?.lastId === lastId ? "altered" : "truncated";
  return [{ kind, what: "seal", firstId: lastId, lastId }];
}

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
