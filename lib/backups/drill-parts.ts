import * as z from "zod";

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
