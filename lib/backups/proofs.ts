import { sql } from "drizzle-orm";
import { verifyAudit } from "../audit/verification.js";
import type { Context } from "../context.js";
import { sessions, users } from "../db/schema/accounts.js";
import { backupCanaries, type restoreDrills } from "../db/schema/backups.js";
import { auditLog } from "../db/schema/security.js";
import { timestamp } from "../db/timestamp.js";
import { withCopyDatabase } from "./copy-database.js";
import type { DrillFinding } from "./drill-parts.js";
import { countRows, Expectations } from "./expectations.js";
import type { BackupStore } from "./store.js";
import { BackupStoreError } from "./store-error.js";

type Drill = typeof restoreDrills.$inferSelect;

interface ProofResult {
  isDone: boolean;
  set?: { rpoSeconds?: number; auditVerifiedTo?: number; stepStartedAt?: Date };
  finding?: DrillFinding;
}

const auditBudgetMs = 12_000;
/** Rows that the live database has deleted since, such as ended sessions. */
const surplusShareMax = 0.1;
const surplusRowsMax = 1000;

/** The newest canary up to the target time is there, and none after it: the copy is of that time. */
export async function proveCanary(ctx: Context, store: BackupStore, drill: Drill) {
  return prove(ctx, store, drill, async (copy, expected) => {
    const target = timestamp(drill.targetAt);
    const { rows } = await copy.db.execute<{ found: string; later: string; newest: string }>(sql`
      select count(*) filter (where id = cast(${expected.canaryId} as uuid)) as found,
        count(*) filter (where at > ${target}) as later,
        extract(epoch from greatest(max(at) filter (where at <= ${target}),
          (select max(at) from ${auditLog} where at <= ${target}),
          (select max(created_at) from ${users} where created_at <= ${target}),
          (select max(created_at) from ${sessions} where created_at <= ${target}))) as newest
      from ${backupCanaries}`);
    const { found = "0", later = "0", newest = "0" } = rows[0] ?? {};
    const problems = [
      ...(Number(found) === 1 ? [] : ["the newest canary up to the target time is missing"]),
      ...(Number(later) === 0 ? [] : [`${later} canaries are from after the target time`]),
    ];
    const rpoSeconds = Math.max(0, Math.ceil(drill.targetAt.getTime() / 1000 - Number(newest)));
    const good = `the newest row is ${rpoSeconds} s older than the target time`;
    return { ...judged("canary", problems, good), set: { rpoSeconds } };
  });
}

export async function proveRows(ctx: Context, store: BackupStore, drill: Drill) {
  return prove(ctx, store, drill, async (copy, expected) => {
    const counts = await countRows(copy, new Date(expected.settledAt));
    const problems = Object.entries(expected.rows).flatMap(([table, live]) => {
      const count = counts[table] ?? 0;
      const max = live + Math.max(surplusRowsMax, Math.floor(live * surplusShareMax));
      return count >= live && count <= max
        ? []
        : [`${table} has ${count} rows, not ${live} to ${max}`];
    });
    const good = Object.entries(counts).map(([table, count]) => `${table} ${count}`);
    return judged("rows", problems, good.join(", "));
  });
}

export async function proveMigrations(ctx: Context, store: BackupStore, drill: Drill) {
  return prove(ctx, store, drill, async (copy, expected) => {
    const { rows } = await copy.db.execute<{ name: string }>(
      sql`select name from schema_migrations order by name collate "C"`,
    );
    const names = rows.map(({ name }) => name);
    const missing = expected.migrations.filter((name) => !names.includes(name));
    const problems = missing.map((name) => `the migration ${name} is missing`);
    return judged("migrations", problems, `up to ${names.at(-1)}`);
  });
}

/**
 * Continues over several calls. Unsealed rows are no finding: the live database seals them after the target time. Rejects
 * without progress, so that the step ends when its time is over.
 */
export async function proveAudit(
  ctx: Context,
  store: BackupStore,
  drill: Drill,
  budgetMs = auditBudgetMs,
) {
  return prove(ctx, store, drill, async (copy, { seal }) => {
    const found = await verifyAudit(copy, performance.now() + budgetMs, {
      from: drill.auditVerifiedTo,
      anchor: seal ?? undefined,
    });
    const broken = found.findings.filter(({ kind }) => kind !== "unsealed");
    if (broken.length === 0 && !found.isComplete) {
      if (found.verifiedTo <= drill.auditVerifiedTo) {
        throw new BackupStoreError(`no progress beyond row ${found.verifiedTo}`);
      }
      return {
        isDone: false,
        set: { auditVerifiedTo: found.verifiedTo, stepStartedAt: ctx.now },
      };
    }
    const problems = broken.map(
      ({ kind, what, firstId, lastId }) => `${what} ${firstId}–${lastId} ${kind}`,
    );
    return judged("audit", problems, `intact up to row ${found.verifiedTo}`);
  });
}

async function prove(
  ctx: Context,
  store: BackupStore,
  drill: Drill,
  work: (copy: Context, expected: Expectations) => Promise<ProofResult>,
): Promise<ProofResult> {
  if (!drill.copyId) throw new BackupStoreError("the drill has no copy", true);
  const expected = Expectations.parse(drill.expected);
  const uri = await store.connectionUri(drill.copyId);
  return withCopyDatabase(ctx, uri, (copy) => work(copy, expected));
}

function judged(part: DrillFinding["part"], problems: string[], good: string): ProofResult {
  const passed = problems.length === 0;
  return { isDone: true, finding: { part, passed, detail: passed ? good : problems.join("; ") } };
}
