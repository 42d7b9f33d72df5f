import { revokeSession } from "../../lib/auth/session/session.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";

const POST = endpoint({
  summary: "Sign out: end this session. 204, also for a session that has ended.",
  auth: "token",
  limits: ["default"],
  replies: { 204: null },
  errors: [],
  handle: ({ ctx, claims }) => revokeSession(ctx, claims.sessionId, "logged_out"),
});

export default route("/api/auth/logout", { POST });
