import * as z from "zod";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { FindResult, find, findRows } from "../../lib/operations/find.js";

const POST = endpoint({
  summary: "Find a request, user, session, e-mail address or IP address.",
  auth: "operator",
  operation: { scope: "find", kind: "read" },
  limits: ["default"],
  // In the body, because platforms log URLs.
  body: z.strictObject({
    q: z
      .string()
      .trim()
      .min(1)
      .max(254)
      .meta({ examples: ["ada@example.com"] }),
    limit: z.int().min(1).max(findRows.max).default(findRows.byDefault),
  }),
  replies: { 200: FindResult },
  errors: [],
  handle: ({ ctx, body }) => find(ctx, body.q, body.limit),
});

export default route("/api/ops/find", { POST });
