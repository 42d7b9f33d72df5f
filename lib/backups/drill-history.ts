import { desc } from "drizzle-orm";
import * as z from "zod";
import type { OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { restoreDrills } from "../db/schema/backups.js";
import { AppError } from "../errors.js";
import { isBackupConfigured } from "./configured-store.js";
import { DrillFindings, rtoSecondsOf } from "./drill-parts.js";
import { startDrill } from "./start-drill.js";

export const Drills = z.strictObject({
  /** Newest first. */
  drills: z.array(
    z.strictObject({
      id: z.uuid(),
      state: z.enum(["running", "succeeded", "failed"]),
      startedAt: z.iso.datetime(),
      startedBy: z.string(),
      /** The time that was restored. */
      targetAt: z.iso.datetime(),
      step: z.string(),
      finishedAt: z.iso.datetime().nullable(),
      rtoSeconds: z.int().nullable(),
      rpoSeconds: z.int().nullable(),
      findings: DrillFindings,
      leftovers: z.array(z.string()),
      lastError: z.string().nullable(),
    }),
  ),
});
export type Drills = z.infer<typeof Drills>;

const drillsMax = 50;

export async function listDrills({ db }: Context): Promise<Drills> {
  const rows = await db
    .select()
    .from(restoreDrills)
    .orderBy(desc(restoreDrills.startedAt))
    .limit(drillsMax);
  return {
    drills: rows.map((row) => ({
      id: row.id,
      state: row.finishedAt ? (row.succeeded ? "succeeded" : "failed") : "running",
      startedAt: row.startedAt.toISOString(),
      startedBy: row.startedBy,
      targetAt: row.targetAt.toISOString(),
      step: row.step,
      finishedAt: row.finishedAt?.toISOString() ?? null,
      rtoSeconds: rtoSecondsOf(row),
      rpoSeconds: row.rpoSeconds,
      findings: DrillFindings.parse(row.findings),
      leftovers: row.leftovers,
      lastError: row.lastError,
    })),
  };
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
    : `The restore drill ${id} is already running.`;
  return { done, undo: null, detail: { id, started } };
}
