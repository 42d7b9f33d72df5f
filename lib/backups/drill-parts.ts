import * as z from "zod";
import type { restoreDrills } from "../db/schema/backups.js";

/** Of the names of all copies that drills make. */
export const copyPrefix = "restore-drill-";

/** So that the copy is of a past moment, and not of the newest data. */
export const targetAgeMs = 15 * 60_000;

/** What a copy has to prove. */
export const proofs = ["canary", "rows", "migrations", "audit"] as const;
/** What can fail; labels of the alert. */
export const drillParts = ["create", "wait", ...proofs, "clean_up"] as const;
export type DrillPart = (typeof drillParts)[number];

const DrillFinding = z.strictObject({
  part: z.enum(drillParts),
  passed: z.boolean(),
  detail: z.string(),
});
export type DrillFinding = z.infer<typeof DrillFinding>;

export const DrillFindings = z.array(DrillFinding);

type Times = Pick<typeof restoreDrills.$inferSelect, "startedAt" | "provenAt">;

/** From the start, when the copy is created, to the end of the proofs. */
export function rtoSecondsOf({ startedAt, provenAt }: Times): number | null {
  return provenAt ? Math.round((provenAt.getTime() - startedAt.getTime()) / 1000) : null;
}

export const noCanaryDetail =
  "the live database had no canary at the target time: the cron job cleanup writes them";
