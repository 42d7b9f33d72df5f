import * as z from "zod";

/** One thing that was looked at, and what was found. */
export const Finding = z.strictObject({
  name: z.string(),
  status: z.enum(["pass", "warn", "fail"]),
  /** What was found, in words for people. */
  detail: z.string(),
});
export type Finding = z.infer<typeof Finding>;

export const Findings = z
  .strictObject({
    status: z.enum(["pass", "warn", "fail"]),
    findings: z.array(Finding),
  })
  .meta({ id: "Findings" });
export type Findings = z.infer<typeof Findings>;

export function found(findings: Finding[]): Findings {
  const has = (status: Finding["status"]) => findings.some((finding) => finding.status === status);
  return { status: has("fail") ? "fail" : has("warn") ? "warn" : "pass", findings };
}

export function finding(
  name: string,
  isGood: boolean,
  detail: string,
  otherwise: "warn" | "fail" = "fail",
) {
  return { name, status: isGood ? ("pass" as const) : otherwise, detail };
}

/** What cannot be looked at now is told, and hides nothing else. */
export async function looked(name: string, look: () => Promise<Finding>): Promise<Finding> {
  try {
    return await look();
  } catch {
    return { name, status: "warn", detail: "could not be told: a store did not answer in time" };
  }
}
