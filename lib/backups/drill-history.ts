import { desc } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { restoreDrills } from "../db/schema/backups.js";
import { DrillFindings, rtoSecondsOf } from "./drill-parts.js";

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
