import * as z from "zod";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { listSessionsOf, SessionSeen } from "../../../lib/operations/sessions.js";

const GET = operatorRead({
  summary: "A user's sessions, newest first, those that have ended included.",
  scope: "sessions",
  query: z.strictObject({ user: z.uuid() }),
  reply: z.strictObject({ items: z.array(SessionSeen) }),
  read: async ({ ctx, query }) => ({ items: await listSessionsOf(ctx, query.user) }),
});

export default route("/api/ops/sessions", { GET });
