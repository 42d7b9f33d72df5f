import { isDeepStrictEqual } from "node:util";
import { sql } from "drizzle-orm";
import * as z from "zod";
import type { ShownExercise } from "../content/exercises.js";
import type { Actor, Context } from "../context.js";
import { violatesUnique } from "../db/failures.js";
import { lessons } from "../db/schema/content.js";
import { attemptAnswers, attempts } from "../db/schema/learning.js";
import { timestamp } from "../db/timestamp.js";
import { AppError } from "../errors.js";
import { type Exercise, grade, graderVersion } from "../grading/grade.js";
import { Answer, answerForms, isPossible, solutionOf } from "./answer.js";
import {
  type AttemptJson,
  answersOfAttempt,
  attemptFields,
  GradedAnswer,
  isOpen,
} from "./attempt.js";
import { ClientId } from "./client-id.js";
import { scoreOf, type Verdict } from "./score.js";

export const SubmittedAnswer = z.strictObject({
  answerId: ClientId,
  exerciseId: ClientId,
  answer: Answer,
  durationMs: z.int().min(0).max(86_400_000).optional(),
});
type SubmittedAnswer = z.infer<typeof SubmittedAnswer>;

const WordDifference = z.strictObject({
  op: z.enum(["same", "missing", "extra", "changed"]),
  expected: z.string().optional(),
  given: z.string().optional(),
});

export const AnswerResult = GradedAnswer.extend({
  /** What was forgiven. */
  rules: z.array(z.string()),
  /** For the learner. */
  note: z.string().nullable(),
  /** By word, against the matched or nearest right answer; empty for choices and pairs. */
  diff: z.array(WordDifference),
  solution: z.string(),
  /** The exercises without a right answer, in the order of the lesson. */
  remaining: z.array(z.uuid()).max(20),
}).meta({ id: "AnswerResult" });
type AnswerResult = z.infer<typeof AnswerResult>;

interface StoredAnswer {
  exerciseId: string;
  answer: Answer;
  durationMs: number | null;
  verdict: Verdict;
  rules: string[];
}

interface Found {
  attempt: AttemptJson;
  exercises: ShownExercise[];
  key: Exercise | null;
  answered: GradedAnswer[];
  same: StoredAnswer | null;
}

/** Each of so many parallel answers to one exercise gets its own try number. */
const triesMax = 10;

/**
 * Grades an answer. Safe to repeat: the same answer ID gets the first result.
 * Throws `not_found`, `attempt_not_open`, `validation_failed` for an exercise of another lesson or an answer of another form, and
 * `idempotency_mismatch` for an answer ID that was used with another body.
 */
export async function answerExercise(
  ctx: Context,
  { userId }: Actor,
  attemptId: string,
  submitted: SubmittedAnswer,
): Promise<AnswerResult> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const found = await readExercise(ctx, userId, attemptId, submitted);
    if (found.same) return firstResult(submitted, found, found.same);
    const graded = gradeAnswer(ctx, submitted, found);
    if (await insertAnswer(ctx, { userId, attemptId }, submitted, graded)) {
      ctx.requestMetrics.answer = { type: graded.type, verdict: graded.result.verdict };
      return graded.result;
    }
  }
  throw new AppError("service_unavailable", { retryAfterSeconds: 1 });
}

function gradeAnswer({ now }: Context, submitted: SubmittedAnswer, found: Found) {
  const { attempt, key, answered } = found;
  if (!isOpen(attempt, now)) throw new AppError("attempt_not_open");
  if (!key) throw invalid("/exerciseId", "unknown_exercise", "The attempt has no such exercise.");
  const forms = answerForms(key.type);
  if (!Object.keys(submitted.answer).every((form) => forms.includes(form))) {
    throw invalid("/answer", "wrong_form", `Must have the field ${forms.join(" or ")}.`);
  }
  const { exerciseId, answerId } = submitted;
  const shown = found.exercises.find(({ id }) => id === exerciseId);
  if (shown && !isPossible(submitted.answer, shown)) {
    throw invalid(
      "/answer",
      "unknown_choice",
      "Must be of what the exercise shows, each tile once.",
    );
  }
  const tries = answered.filter((each) => each.exerciseId === exerciseId).length;
  const graded = grade(submitted.answer, key);
  const verdict = graded?.verdict ?? "skipped";
  const own: GradedAnswer = { answerId, exerciseId, tryNumber: tries + 1, verdict };
  const rules = graded?.rules ?? [];
  return { type: key.type, result: resultOf(submitted, found, key, own, rules) };
}

/** Grading again gives the same differences; verdict and rules are as they were. */
function firstResult(submitted: SubmittedAnswer, found: Found, same: StoredAnswer): AnswerResult {
  const { exerciseId, answer, durationMs = null } = submitted;
  const sent = { exerciseId, answer, durationMs };
  const stored = { exerciseId: same.exerciseId, answer: same.answer, durationMs: same.durationMs };
  const { answered, key } = found;
  const at = answered.findIndex(({ answerId }) => answerId === submitted.answerId);
  const own = answered[at];
  if (!isDeepStrictEqual(sent, stored) || !own || !key) throw new AppError("idempotency_mismatch");
  const before = { ...found, answered: answered.slice(0, at) };
  return resultOf(submitted, before, key, own, same.rules);
}

function resultOf(
  { answer }: SubmittedAnswer,
  { exercises, answered }: Found,
  key: Exercise,
  own: GradedAnswer,
  rules: string[],
): AnswerResult {
  const shown = exercises.find(({ id }) => id === own.exerciseId);
  if (!shown) throw new Error(`Exercise ${own.exerciseId} has a key and is not shown.`);
  const graded = grade(answer, key);
  const ids = exercises.map(({ id }) => id);
  return {
    ...own,
    rules,
    note: graded?.note ?? null,
    diff: graded?.diff ?? [],
    solution: solutionOf(graded ?? skippedGrade, shown, key),
    remaining: scoreOf(ids, [...answered, own]).remaining,
  };
}

const skippedGrade = { matched: null, diff: [] };

const invalid = (pointer: string, code: string, message: string) =>
  new AppError("validation_failed", { fields: [{ pointer, code, message }] });

/** False when a parallel answer has taken the try number or the ID, or the attempt has just ended. */
async function insertAnswer(
  { db, now }: Context,
  { userId, attemptId }: { userId: string; attemptId: string },
  { answerId, exerciseId, answer, durationMs }: SubmittedAnswer,
  { result }: { result: AnswerResult },
): Promise<boolean> {
  const json = (value: unknown) => sql`cast(${JSON.stringify(value)} as jsonb)`;
  try {
    const { rows } = await db.execute(sql`
      with open as (
        select user_id, id from ${attempts}
        where user_id = ${userId} and id = ${attemptId} and state = 'started' for share
      )
      insert into ${attemptAnswers} (user_id, attempt_id, id, exercise_id, try_number, answer, verdict, rules,
        grader_version, duration_ms, answered_at, received_at)
      select user_id, id, cast(${answerId} as uuid), cast(${exerciseId} as uuid),
        cast(${result.tryNumber} as smallint), ${json(answer)}, ${result.verdict},
        array(select jsonb_array_elements_text(${json(result.rules)})), cast(${graderVersion} as integer),
        cast(${durationMs ?? null} as integer), ${timestamp(now)}, ${timestamp(now)}
      from open returning id`);
    return rows.length > 0;
  } catch (error) {
    const isTaken = takenKeys.some((constraint) => violatesUnique(error, constraint));
    if (isTaken) return false;
    throw error;
  }
}

const takenKeys = ["attempt_answers_pkey", "attempt_answers_try_key"];

async function readExercise(
  { db }: Context,
  userId: string,
  attemptId: string,
  { answerId, exerciseId }: SubmittedAnswer,
): Promise<Found> {
  const { rows } = await db.execute<{ found: Found }>(sql`
    select json_build_object(
      'attempt', json_build_object(${attemptFields}),
      'exercises', l.exercises,
      'key', l.keys -> cast(${exerciseId} as text),
      'answered', ${answersOfAttempt},
      'same', (
        select json_build_object('exerciseId', exercise_id, 'answer', answer, 'durationMs', duration_ms,
          'verdict', verdict, 'rules', rules)
        from ${attemptAnswers}
        where user_id = a.user_id and attempt_id = a.id and id = ${answerId})
    ) as found
    from ${attempts} a
    join ${lessons} l on l.id = a.lesson_id and l.version = a.version
    where a.user_id = ${userId} and a.id = ${attemptId}`);
  const [row] = rows;
  if (!row) throw new AppError("not_found");
  return row.found;
}
