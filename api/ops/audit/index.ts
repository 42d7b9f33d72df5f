import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { AuditQuery, AuditRow, listAudit } from "../../../lib/operations/audit-log.js";
import { pageSchema } from "../../../lib/page.js";

const GET = operatorRead({
  summary: "List the audit log, newest first.",
  scope: "audit",
  query: AuditQuery,
  reply: pageSchema(AuditRow),
  read: ({ ctx, query }) => listAudit(ctx, query),
});

export default route("/api/ops/audit", { GET });
