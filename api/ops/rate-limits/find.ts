import * as z from "zod";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import {
  listRateLimitCounters,
  RateLimitCounters,
} from "../../../lib/operations/rate-limits/counters.js";
import {
  RateLimitSubject,
  resolveRateLimitSubject,
} from "../../../lib/operations/rate-limits/subject.js";

const POST = endpoint({
  summary: "Read the rate limit counters of an IP address, user, session or e-mail address.",
  auth: "operator",
  operation: { scope: "ratelimit", kind: "read" },
  limits: ["default"],
  // In the body, because platforms log URLs.
  body: z.strictObject({ of: RateLimitSubject }),
  replies: { 200: RateLimitCounters },
  errors: ["not_found"],
  handle: async ({ ctx, body }) => {
    const { values } = await resolveRateLimitSubject(ctx, body.of);
    return listRateLimitCounters(ctx, values);
  },
});

export default route("/api/ops/rate-limits/find", { POST });
