import { endpoint } from "../../../lib/http/endpoint.js";
import { Reply } from "../../../lib/http/reply.js";
import { route } from "../../../lib/http/route.js";
import { uuidParam } from "../../../lib/http/uuid-param.js";
import { AttemptStart, StartedAttempt, startAttempt } from "../../../lib/learning/start-attempt.js";

const POST = endpoint({
  summary:
    "Start an attempt of a lesson: its exercises, without the right answers. 200 for the attempt with this ID, or else for the open attempt of the lesson, with what is answered. 403 premium_required or lesson_locked.",
  auth: "user",
  limits: ["default"],
  body: AttemptStart,
  replies: { 201: StartedAttempt, 200: StartedAttempt },
  errors: ["not_found", "premium_required", "lesson_locked", "idempotency_mismatch"],
  async handle({ ctx, actor, params, body }) {
    const lessonId = uuidParam(params.lessonId);
    const { isNew, started } = await startAttempt(ctx, actor, lessonId, body.attemptId);
    return new Reply(isNew ? 201 : 200, started);
  },
});

export default route("/api/lessons/:lessonId/attempts", { POST });
