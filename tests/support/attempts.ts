import { randomUUID } from "node:crypto";
import abandonRoute from "../../api/attempts/[attemptId]/abandon.js";
import answersRoute from "../../api/attempts/[attemptId]/answers.js";
import completeRoute from "../../api/attempts/[attemptId]/complete.js";
import startRoute from "../../api/lessons/[lessonId]/attempts.js";
import progressRoute from "../../api/progress.js";
import type { CourseSource } from "../../dev/content/source.js";
import type { ShownExercise } from "../../lib/content/exercises.js";
import type { Answer as Given } from "../../lib/learning/answer.js";
import { type Answer, call } from "./call.js";
import { rightAnswer, smallCourse } from "./course.js";

interface Learner {
  accessToken: string;
}

const at = (path: string) => `http://localhost:8080/api/${path}`;

export const start = (
  { accessToken: token }: Learner,
  lessonId: string,
  attemptId: string = randomUUID(),
): Promise<Answer> =>
  call(startRoute, "POST", {
    token,
    url: at(`lessons/${lessonId}/attempts`),
    body: { attemptId },
  });

export const answer = (
  { accessToken: token }: Learner,
  attemptId: string,
  exerciseId: string,
  given: Given | object,
  more: { answerId?: string; durationMs?: number } = {},
): Promise<Answer> =>
  call(answersRoute, "POST", {
    token,
    url: at(`attempts/${attemptId}/answers`),
    body: { answerId: randomUUID(), exerciseId, answer: given, ...more },
  });

export const complete = ({ accessToken: token }: Learner, attemptId: string): Promise<Answer> =>
  call(completeRoute, "POST", { token, url: at(`attempts/${attemptId}/complete`) });

export const abandon = ({ accessToken: token }: Learner, attemptId: string): Promise<Answer> =>
  call(abandonRoute, "POST", { token, url: at(`attempts/${attemptId}/abandon`) });

export const progress = ({ accessToken: token }: Learner, courseId?: string): Promise<Answer> =>
  call(progressRoute, "GET", {
    token,
    url: at(courseId === undefined ? "progress" : `progress?course=${courseId}`),
  });

/** Starts the lesson and answers every exercise right. */
export async function solve(
  learner: Learner,
  lessonId: string,
  course: CourseSource = smallCourse,
): Promise<string> {
  const { status, body } = await start(learner, lessonId);
  if (status !== 201) throw new Error(`The start returned ${status}: ${JSON.stringify(body)}`);
  for (const exercise of body.exercises as ShownExercise[]) {
    await answer(learner, body.attempt.id, exercise.id, rightAnswer(exercise, course));
  }
  return body.attempt.id;
}
