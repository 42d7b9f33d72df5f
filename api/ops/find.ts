import * as z from "zod";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { FindResult, find } from "../../lib/operations/find.js";

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
  }),
  replies: { 200: FindResult },
  errors: [],
  handle: ({ ctx, body }) => find(ctx, body.q),
});

export default route("/api/ops/find", { POST });
