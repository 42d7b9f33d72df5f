import * as z from "zod";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import {
  AuditVerificationReport,
  verifyAuditForOperator,
} from "../../../lib/operations/audit-verification.js";

const id = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);

const GET = operatorRead({
  summary:
    "Verify the audit log against its seals and, with lastId and hash, a seal from the shipped logs.",
  scope: "audit",
  query: z
    .strictObject({
      /** The `verifiedTo` of an incomplete run: continues there. */
      from: id.optional(),
      /** From an `audit_sealed` line in the shipped logs: it reveals rows deleted together with their seal. */
      lastId: id.optional(),
      hash: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .optional(),
    })
    .refine(
      ({ lastId, hash }) => (lastId === undefined) === (hash === undefined),
      "Give lastId and hash together.",
    ),
  reply: AuditVerificationReport,
  read: ({ ctx, query: { from = 0, lastId, hash } }) => {
    const anchor = lastId !== undefined && hash !== undefined ? { lastId, hash } : undefined;
    return verifyAuditForOperator(ctx, from, anchor);
  },
});

export default route("/api/ops/audit/verification", { GET });
