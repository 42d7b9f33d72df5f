import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { uuidParam } from "../../../lib/http/uuid-param.js";
import { CompletedAttempt, completeAttempt } from "../../../lib/learning/complete-attempt.js";

const POST = endpoint({
  summary:
    "Complete an attempt and pay its points, once: a later call gets the first result. 409 attempt_incomplete names each exercise without a right answer as /exercises/<id>.",
  auth: "user",
  limits: ["default"],
  replies: { 200: CompletedAttempt },
  errors: ["not_found", "attempt_not_open", "attempt_incomplete"],
  handle: ({ ctx, actor, params }) => completeAttempt(ctx, actor, uuidParam(params.attemptId)),
});

export default route("/api/attempts/:attemptId/complete", { POST });
