import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { attemptAnswers, attempts } from "../db/schema/learning.js";
import { Verdict } from "./score.js";

const attemptStates = ["started", "completed", "abandoned"] as const;

export const Attempt = z
  .strictObject({
    id: z.uuid(),
    lessonId: z.uuid(),
    courseId: z.uuid(),
    /** Of the content: an attempt keeps the one it began with. */
    version: z.int().min(1),
    state: z.enum(attemptStates),
    startedAt: z.iso.datetime(),
  })
  .meta({ id: "Attempt" });
export type Attempt = z.infer<typeof Attempt>;

export const GradedAnswer = z.strictObject({
  answerId: z.uuid(),
  exerciseId: z.uuid(),
  /** From 1; the first decides the points. */
  tryNumber: z.int().min(1),
  verdict: Verdict,
});
export type GradedAnswer = z.infer<typeof GradedAnswer>;

/** As `attemptJson` selects it. */
export interface AttemptJson extends Attempt {
  seed: number;
}

const openDays = 30;

/** An attempt that was left for longer is abandoned. */
export function isOpen({ state, startedAt }: Pick<Attempt, "state" | "startedAt">, now: Date) {
  const ageMs = now.getTime() - new Date(startedAt).getTime();
  return state === "started" && ageMs < openDays * 86_400_000;
}

export function presentAttempt({ seed: _, ...attempt }: AttemptJson, now: Date): Attempt {
  const { state, startedAt } = attempt;
  return {
    ...attempt,
    state: state === "started" && !isOpen(attempt, now) ? "abandoned" : state,
    startedAt: new Date(startedAt).toISOString(),
  };
}

/** SQL: still open at `now`. Of the row `a` of attempts. */
export const isStillOpen = (now: Date): SQL => sql`a.state = 'started'
  and a.started_at > cast(${now.toISOString()} as timestamptz) - make_interval(days => ${sql.raw(String(openDays))})`;

/** Fields of a JSON object, of the row `a` of attempts. */
export const attemptFields: SQL =
  sql.raw(`'id', a.id, 'lessonId', a.lesson_id, 'courseId', a.course_id,
  'version', a.version, 'state', a.state, 'startedAt', a.started_at, 'seed', a.seed`);

/** In the order of their receipt, of the row `a` of attempts. */
export const answersOfAttempt: SQL = sql`(
  select coalesce(json_agg(json_build_object('answerId', id, 'exerciseId', exercise_id,
    'tryNumber', try_number, 'verdict', verdict) order by received_at, try_number), '[]')
  from ${attemptAnswers} where user_id = a.user_id and attempt_id = a.id)`;

/** In a write. As a value, so that an index finds the row by both columns; a join may read all rows with the ID. */
export const ofLearner: SQL = sql`${attempts.userId} = (select user_id from learner)`;

/** The part of a write that ends an open attempt; it has a row if it did. */
export const abandon = (attemptId: string): SQL => sql`
  update ${attempts} set state = 'abandoned', revision = learner.revision from learner
  where ${ofLearner} and ${attempts.id} = cast(${attemptId} as uuid)
    and ${attempts.state} = 'started' returning id`;
