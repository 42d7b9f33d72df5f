import * as z from "zod";
import { getAccountId } from "../../../lib/auth/operator/subject.js";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { listSessionsOf, SessionSummary } from "../../../lib/operations/sessions.js";

const GET = operatorRead({
  summary:
    "List the newest 50 sessions of a user, ended ones included. `user` is an ID of the account, of a session, or of a request.",
  scope: "sessions",
  query: z.strictObject({
    user: z
      .string()
      .regex(/^[\w.-]{1,64}$/)
      .meta({ examples: ["1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"] }),
  }),
  reply: z.strictObject({ items: z.array(SessionSummary) }),
  errors: ["not_found"],
  read: async ({ ctx, query }) => ({
    items: await listSessionsOf(ctx, await getAccountId(ctx, query.user)),
  }),
});

export default route("/api/ops/sessions", { GET });
