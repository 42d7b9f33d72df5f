import { revokeOwnSession } from "../../../lib/auth/session/own-sessions.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";

const DELETE = endpoint({
  summary:
    "End one of the own sessions. 204, also for an ended one; 404 for the session of another account.",
  auth: "user",
  limits: ["default"],
  replies: { 204: null },
  errors: ["not_found"],
  handle: ({ ctx, actor, params }) => revokeOwnSession(ctx, actor, params.sessionId ?? ""),
});

export default route("/api/user/sessions/:sessionId", { DELETE });
