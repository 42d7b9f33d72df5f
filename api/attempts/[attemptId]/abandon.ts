import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { uuidParam } from "../../../lib/http/uuid-param.js";
import { AbandonedAttempt, abandonAttempt } from "../../../lib/learning/abandon-attempt.js";

const POST = endpoint({
  summary:
    "Abandon an attempt: the next start of its lesson begins anew. 409 for a completed attempt.",
  auth: "user",
  limits: ["default"],
  replies: { 200: AbandonedAttempt },
  errors: ["not_found", "attempt_not_open"],
  handle: ({ ctx, actor, params }) => abandonAttempt(ctx, actor, uuidParam(params.attemptId)),
});

export default route("/api/attempts/:attemptId/abandon", { POST });
