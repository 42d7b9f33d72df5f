import * as z from "zod";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { listSessionsOf, SessionSummary } from "../../../lib/operations/sessions.js";

const GET = operatorRead({
  summary: "List the sessions of a user, ended ones included, newest first.",
  scope: "sessions",
  query: z.strictObject({ user: z.uuid() }),
  reply: z.strictObject({ items: z.array(SessionSummary) }),
  read: async ({ ctx, query }) => ({ items: await listSessionsOf(ctx, query.user) }),
});

export default route("/api/ops/sessions", { GET });
