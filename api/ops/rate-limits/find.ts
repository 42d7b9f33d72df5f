import * as z from "zod";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { Counters, countersOf } from "../../../lib/operations/rate-limits/counters.js";
import { Limited, limitedSubject } from "../../../lib/operations/rate-limits/subject.js";

const POST = endpoint({
  summary: "Read the rate limits of an IP address, user, session or e-mail address.",
  auth: "operator",
  operation: { scope: "ratelimit", kind: "read" },
  limits: ["default"],
  // In the body, because platforms log URLs.
  body: z.strictObject({ of: Limited }),
  replies: { 200: Counters },
  errors: ["not_found"],
  handle: async ({ ctx, body }) => {
    const { values } = await limitedSubject(ctx, body.of);
    return countersOf(ctx, values);
  },
});

export default route("/api/ops/rate-limits/find", { POST });
