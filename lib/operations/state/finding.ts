import * as z from "zod";

export const Finding = z.strictObject({
  name: z.string(),
  status: z.enum(["pass", "warn", "fail"]),
  /** For people, not for programs. */
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

/** A check that fails to run becomes a warning, so it does not hide the other checks. */
export async function looked(name: string, look: () => Promise<Finding>): Promise<Finding> {
  try {
    return await look();
  } catch {
    return { name, status: "warn", detail: "unknown: a store did not answer in time" };
  }
}
