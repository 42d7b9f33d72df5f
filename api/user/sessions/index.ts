import {
  listSessions,
  OwnSession,
  revokeOtherSessions,
  SessionPosition,
} from "../../../lib/auth/session/own-sessions.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { pageQuery, pageSchema } from "../../../lib/page.js";

const GET = endpoint({
  summary: "List the own sessions, newest first.",
  auth: "user",
  limits: ["default"],
  query: pageQuery(SessionPosition),
  replies: { 200: pageSchema(OwnSession) },
  errors: [],
  handle: ({ ctx, actor, query }) => listSessions(ctx, actor, query),
});

const DELETE = endpoint({
  summary: "End every other session. 204, also without one.",
  auth: "user",
  limits: ["default"],
  replies: { 204: null },
  errors: [],
  handle: ({ ctx, actor }) => revokeOtherSessions(ctx, actor),
  replay: async () => undefined,
});

export default route("/api/user/sessions", { GET, DELETE });
