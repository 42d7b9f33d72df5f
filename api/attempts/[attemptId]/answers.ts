import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { uuidParam } from "../../../lib/http/uuid-param.js";
import {
  AnswerResult,
  answerExercise,
  SubmittedAnswer,
} from "../../../lib/learning/answer-exercise.js";

const POST = endpoint({
  summary:
    "Grade an answer to an exercise. The same answer ID again gets the first result. 409 attempt_not_open for an attempt that was completed or abandoned.",
  auth: "user",
  limits: ["default"],
  body: SubmittedAnswer,
  replies: { 200: AnswerResult },
  errors: ["not_found", "attempt_not_open", "idempotency_mismatch"],
  handle: ({ ctx, actor, params, body }) =>
    answerExercise(ctx, actor, uuidParam(params.attemptId), body),
});

export default route("/api/attempts/:attemptId/answers", { POST });
