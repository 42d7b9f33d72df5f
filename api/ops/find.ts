import * as z from "zod";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { Found, find } from "../../lib/operations/find.js";

const POST = endpoint({
  summary: "What is known of a correlation ID, a user, a session, an e-mail or IP address.",
  auth: "operator",
  operation: { scope: "find", kind: "read" },
  limits: ["default"],
  // In a body, for addresses have no place in a URL, which platforms log.
  body: z.strictObject({
    q: z
      .string()
      .trim()
      .min(1)
      .max(254)
      .meta({ examples: ["ada@example.com"] }),
  }),
  replies: { 200: Found },
  errors: [],
  handle: ({ ctx, body }) => find(ctx, body.q),
});

export default route("/api/ops/find", { POST });
