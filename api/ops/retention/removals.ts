import * as z from "zod";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { RetentionReport, retentionReport } from "../../../lib/operations/retention/report.js";

const GET = operatorRead({
  summary: "List what retention removed, by day and class.",
  scope: "retention",
  query: z.strictObject({ days: z.coerce.number().int().min(1).max(400).default(30) }),
  reply: RetentionReport,
  read: ({ ctx, query }) => retentionReport(ctx, query.days),
});

export default route("/api/ops/retention/removals", { GET });
