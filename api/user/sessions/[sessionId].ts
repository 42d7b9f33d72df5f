import { endOwnSession } from "../../../lib/auth/session/own-sessions.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";

const DELETE = endpoint({
  summary: "Sign out on one device. 204, also when it is signed out already; 404 for another's.",
  auth: "user",
  limits: ["default"],
  replies: { 204: null },
  errors: ["not_found"],
  handle: ({ ctx, actor, params }) => endOwnSession(ctx, actor, params.sessionId ?? ""),
});

export default route("/api/user/sessions/:sessionId", { DELETE });
