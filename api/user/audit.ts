import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { pageQuery, pageSchema } from "../../lib/page.js";
import { AuditPosition, AuditTrailEntry, listAuditTrail } from "../../lib/user/audit-trail.js";

const GET = endpoint({
  summary: "List the changes to and by the own account, newest first.",
  auth: "user",
  limits: ["default"],
  query: pageQuery(AuditPosition),
  replies: { 200: pageSchema(AuditTrailEntry) },
  errors: [],
  handle: ({ ctx, actor, query }) => listAuditTrail(ctx, actor, query),
});

export default route("/api/user/audit", { GET });
