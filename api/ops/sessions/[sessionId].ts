import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { getSessionDetails, SessionDetails } from "../../../lib/operations/sessions.js";

const GET = operatorRead({
  summary: "Read a session as Postgres and Redis have it.",
  scope: "sessions",
  reply: SessionDetails,
  errors: ["not_found"],
  read: ({ ctx, params }) => getSessionDetails(ctx, params.sessionId ?? ""),
});

export default route("/api/ops/sessions/:sessionId", { GET });
