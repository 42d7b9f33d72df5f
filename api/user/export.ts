import { endpoint } from "../../lib/http/endpoint.js";
import { Reply } from "../../lib/http/reply.js";
import { route } from "../../lib/http/route.js";
import { DataExport } from "../../lib/privacy/export.js";
import { exportFileName, exportOwnData } from "../../lib/privacy/own-export.js";

const GET = endpoint({
  summary:
    "Download all data of the own account, as a stream. A document that breaks off is not valid JSON: ask again.",
  auth: "user",
  limits: ["default", "exports"],
  replies: { 200: { body: DataExport, isStreamed: true, headers: ["Content-Disposition"] } },
  errors: [],
  handle: async ({ ctx, actor, caller }) =>
    new Reply(200, await exportOwnData(ctx, actor, caller.reserved), {
      "Content-Disposition": `attachment; filename="${exportFileName(ctx)}"`,
    }),
});

export default route("/api/user/export", { GET });
