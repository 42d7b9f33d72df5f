import * as z from "zod";
import { AccountName } from "../../lib/auth/operator/subject.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { Reply } from "../../lib/http/reply.js";
import { route } from "../../lib/http/route.js";
import { exportForUser } from "../../lib/operations/deletions.js";
import { DataExport } from "../../lib/privacy/export.js";
import { exportFileName } from "../../lib/privacy/own-export.js";

const POST = endpoint({
  summary: "Download all data of an account, for a request of its owner by mail.",
  auth: "operator",
  operation: { scope: "gdpr", kind: "change" },
  stepUp: true,
  limits: ["default"],
  body: z.strictObject({
    user: AccountName,
    reason: z
      .string()
      .trim()
      .min(3)
      .max(500)
      .meta({ examples: ["Requested by mail"] }),
  }),
  replies: { 200: { body: DataExport, isStreamed: true, headers: ["Content-Disposition"] } },
  errors: ["not_found"],
  handle: async ({ ctx, operator, body: { user, reason } }) => {
    const by = { actor: { kind: "operator", id: operator.id }, reason } as const;
    return new Reply(200, await exportForUser(ctx, user, { operator, by }), {
      "Content-Disposition": `attachment; filename="${exportFileName(ctx)}"`,
    });
  },
});

export default route("/api/ops/exports", { POST });
