import * as z from "zod";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { AuditVerdict, verifyAuditNow } from "../../../lib/operations/audit-verification.js";

const GET = operatorRead({
  summary: "Compare the audit log with its seals, and with one that was seen elsewhere.",
  scope: "audit",
  query: z.strictObject({
    /** Of an `audit_sealed` line in the shipped logs: what was cut off with its seals, it alone tells. */
    lastId: z
      .string()
      .regex(/^\d{1,15}$/)
      .transform(Number)
      .optional(),
    hash: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .optional(),
  }),
  reply: AuditVerdict,
  read: ({ ctx, query: { lastId, hash } }) => {
    const anchor = lastId !== undefined && hash !== undefined ? { lastId, hash } : undefined;
    return verifyAuditNow(ctx, anchor);
  },
});

export default route("/api/ops/audit/verification", { GET });
