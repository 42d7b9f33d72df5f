import { logOut } from "../../lib/auth/session/own-sessions.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";

const POST = endpoint({
  summary:
    "Sign out: end this session. 204, also with an expired access token and for a session that has ended.",
  auth: "token",
  limits: ["default"],
  replies: { 204: null },
  errors: [],
  handle: ({ ctx, claims }) => logOut(ctx, claims),
});

export default route("/api/auth/logout", { POST });
