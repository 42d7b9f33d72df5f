import { randomUUID } from "node:crypto";
import { desc, sql } from "drizzle-orm";
import { auditIfAny, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { databaseForRequest } from "../db/database.js";
import { restoreDrills } from "../db/schema/backups.js";
import { timestamp } from "../db/timestamp.js";
import { AppError } from "../errors.js";
import { restoreDrillFailed } from "../observability/log-lines/backups.js";
import { writeCanary } from "./canary.js";
import { isBackupConfigured, isBackupProcessElsewhere } from "./configured-store.js";
import { copyTimeoutMs } from "./copy-database.js";
import { copyPrefix, type DrillFinding, noCanaryDetail, targetAgeMs } from "./drill-parts.js";
import { readExpectations } from "./expectations.js";

export type StartedDrill = { started: boolean; id: string } | { started: false; id: null };

/** Record a new drill, which `advanceDrill` runs. Returns the running one if there is one; `id` null: no store is configured. */
export async function startDrill(ctx: Context, by?: OperatorAct): Promise<StartedDrill> {
  if (!isBackupConfigured(ctx)) return { started: false, id: null };
  const targetAt = new Date(ctx.now.getTime() - targetAgeMs);
  // The backup process plans it.
  const isRequest = isBackupProcessElsewhere(ctx);
  const expected = isRequest ? null : await readExpectations(patient(ctx), targetAt);
  // After the target time: a copy that has it is not of the target time, or is the live database itself.
  if (!isRequest) await writeCanary(ctx);
  const isImpossible = !isRequest && !expected;
  const id = randomUUID();
  const row = {
    id,
    startedBy: by?.actor.id ?? "cron",
    step: isRequest ? "plan" : expected ? "create" : "clean_up",
    findings: isImpossible ? [noCanary] : [],
    expected: expected ?? {},
  };
  const entry = by && ({ ...by, action: "restore_drill.started", subjectId: id } as const);
  const { rows } = await ctx.db.execute<{ id: string }>(sql`
    with made as (
      insert into ${restoreDrills} (id, started_at, started_by, target_at, step, step_started_at, held_until,
        copy_name, expected, findings)
      values (cast(${id} as uuid), ${timestamp(ctx.now)}, ${row.startedBy}, ${timestamp(targetAt)}, ${row.step},
        ${timestamp(ctx.now)}, now(), ${copyPrefix + id}, cast(${JSON.stringify(row.expected)} as jsonb),
        cast(${JSON.stringify(row.findings)} as jsonb))
      on conflict do nothing
      returning id
    )${entry ? sql`, audited as (${auditIfAny(ctx, entry, sql`made`)})` : sql``}
    select id from made union all select id from ${restoreDrills} where finished_at is null`);
  // Another call may have made one that the statement could not see yet.
  const found = rows[0]?.id ?? (await newestDrill(ctx));
  const started = found === id;
  if (started && isImpossible) {
    restoreDrillFailed(ctx.correlationId, { operation: noCanary.part, reason: noCanary.detail });
  }
  return { started, id: found };
}

/** Counting whole tables may take longer than a request. */
function patient(ctx: Context): Context {
  const { correlationId, trace } = ctx;
  return { ...ctx, db: databaseForRequest({ correlationId, trace, timeoutMs: copyTimeoutMs }) };
}

/** Throws `backups_not_configured`. Safe to repeat: while a drill runs, it starts no other. */
export async function startDrillNow(
  ctx: Context,
  { by, dryRun }: { by: OperatorAct; dryRun: boolean },
) {
  if (!isBackupConfigured(ctx)) throw new AppError("backups_not_configured");
  if (dryRun) {
    return { done: "Would start a restore drill: a copy, its proofs, its deletion.", undo: null };
  }
  const { id, started } = await startDrill(ctx, by);
  const done = started
    ? `Started the restore drill ${id}: \`ops drill status\` shows its steps.`
    : `The restore drill ${id} is already running: \`ops drill status\` shows its step and its last try.`;
  return { done, undo: null, detail: { id, started } };
}

async function newestDrill({ db }: Context): Promise<string> {
  const [drill] = await db
    .select({ id: restoreDrills.id })
    .from(restoreDrills)
    .orderBy(desc(restoreDrills.startedAt))
    .limit(1);
  if (!drill) throw new Error("A restore drill was neither made nor found.");
  return drill.id;
}

const noCanary: DrillFinding = {
  part: "canary",
  passed: false,
  detail: noCanaryDetail,
};
