import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { SessionShown, showSession } from "../../../lib/operations/sessions.js";

const GET = operatorRead({
  summary: "Read a session as Postgres and Redis have it.",
  scope: "sessions",
  reply: SessionShown,
  errors: ["not_found"],
  read: ({ ctx, params }) => showSession(ctx, params.sessionId ?? ""),
});

export default route("/api/ops/sessions/:sessionId", { GET });
