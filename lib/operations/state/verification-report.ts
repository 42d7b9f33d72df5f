import * as z from "zod";
import { CheckResult } from "./finding.js";

/** What an auditor asks about. The CLI adds `transport`, and what it sees of `tokens` from outside. */
const controlNames = [
  "transport",
  "tokens",
  "access",
  "keys",
  "retention",
  "access_log",
  "audit_log",
  "backups",
  "restore_drills",
  "deployments",
  "stores",
] as const;

export const ControlFinding = CheckResult.extend({ control: z.enum(controlNames) });
export type ControlFinding = z.infer<typeof ControlFinding>;

export const VerificationReport = z
  .strictObject({
    status: z.enum(["pass", "warn", "fail"]),
    findings: z.array(ControlFinding),
    /** The commit of the release. */
    release: z.string(),
    environment: z.string(),
    checkedAt: z.iso.datetime(),
    /** By ID, as in the audit log. */
    checkedBy: z.strictObject({ kind: z.enum(["person", "token", "break_glass"]), id: z.string() }),
  })
  .meta({ id: "Verification" });
export type VerificationReport = z.infer<typeof VerificationReport>;
