import {
  endOtherSessions,
  listSessions,
  OwnSession,
  SessionPosition,
} from "../../../lib/auth/session/own-sessions.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { pageOf, pageQuery } from "../../../lib/page.js";

const GET = endpoint({
  summary: "The devices on which the signed-in person is signed in, newest first.",
  auth: "user",
  limits: ["default"],
  query: pageQuery(SessionPosition),
  replies: { 200: pageOf(OwnSession) },
  errors: [],
  handle: ({ ctx, actor, query }) => listSessions(ctx, actor, query),
});

const DELETE = endpoint({
  summary: "Sign out on every other device. 204, also when there is none.",
  auth: "user",
  limits: ["default"],
  replies: { 204: null },
  errors: [],
  handle: ({ ctx, actor }) => endOtherSessions(ctx, actor),
  replay: async () => undefined,
});

export default route("/api/user/sessions", { GET, DELETE });
