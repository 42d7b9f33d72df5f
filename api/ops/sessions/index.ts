import * as z from "zod";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { listSessionsOf, SessionSummary } from "../../../lib/operations/sessions.js";

const GET = operatorRead({
  summary: "List the newest 50 sessions of a user, ended ones included.",
  scope: "sessions",
  query: z.strictObject({ user: z.uuid() }),
  reply: z.strictObject({ items: z.array(SessionSummary) }),
  read: async ({ ctx, query }) => ({ items: await listSessionsOf(ctx, query.user) }),
});

export default route("/api/ops/sessions", { GET });
