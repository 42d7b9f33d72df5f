import * as z from "zod";
import { isDatabaseUnavailable } from "../../db/failures.js";
import { AppError } from "../../errors.js";

export const CheckResult = z.strictObject({
  name: z.string(),
  status: z.enum(["pass", "warn", "fail"]),
  /** For people, not for programs. */
  detail: z.string(),
});
export type CheckResult = z.infer<typeof CheckResult>;

export const CheckReport = z
  .strictObject({
    status: z.enum(["pass", "warn", "fail"]),
    findings: z.array(CheckResult),
  })
  .meta({ id: "Findings" });
export type CheckReport = z.infer<typeof CheckReport>;

/** Names of findings that `operator enrol` reads. */
export const mailCheck = "mail";
export const operatorsCheck = "operators";

export function summarize(findings: CheckResult[]): CheckReport {
  const has = (status: CheckResult["status"]) =>
    findings.some((finding) => finding.status === status);
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

/** A check that fails to run becomes a finding, `otherwise`, so it does not hide the other checks. */
export async function runCheck(
  name: string,
  look: () => Promise<CheckResult>,
  otherwise: Unknown = "warn",
): Promise<CheckResult> {
  return look().catch((error) => unknown(name, error, otherwise));
}

/** The same for a check with several findings. */
export async function runChecks(
  name: string,
  look: () => Promise<CheckResult[]>,
  otherwise: Unknown = "warn",
): Promise<CheckResult[]> {
  return look().catch((error) => [unknown(name, error, otherwise)]);
}

type Unknown = "warn" | "fail";

function unknown(name: string, error: unknown, status: Unknown): CheckResult {
  const store =
    isDatabaseUnavailable(error) || hasCode(error, "service_unavailable")
      ? "Postgres"
      : hasCode(error, "redis_unavailable")
        ? "Redis"
        : "a store";
  return { name, status, detail: `unknown: ${store} did not answer, or refused` };
}

const hasCode = (error: unknown, code: AppError["code"]) =>
  error instanceof AppError && error.code === code;
