import { randomInt } from "node:crypto";
import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { ShownExercise } from "../content/exercises.js";
import type { Actor, Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { courses, lessons } from "../db/schema/content.js";
import { attempts, learners, lessonProgress } from "../db/schema/learning.js";
import { timestamp } from "../db/timestamp.js";
import { AppError } from "../errors.js";
import {
  Attempt,
  type AttemptJson,
  abandon,
  answersOfAttempt,
  attemptFields,
  GradedAnswer,
  isOpen,
  presentAttempt,
} from "./attempt.js";
import { ClientId } from "./client-id.js";
import { shuffled } from "./exercise-order.js";
import { type LearnerRead, writeLearner } from "./learner-write.js";
import { isUnlocked } from "./unlocking.js";

export const AttemptStart = z.strictObject({ attemptId: ClientId });

export const StartedAttempt = z
  .strictObject({
    attempt: Attempt,
    exercises: z.array(ShownExercise).max(20),
    /** Every answer that was graded, in the order of its receipt. */
    answered: z.array(GradedAnswer),
  })
  .meta({ id: "StartedAttempt" });
type StartedAttempt = z.infer<typeof StartedAttempt>;

interface Started {
  isNew: boolean;
  started: StartedAttempt;
}

interface FoundAttempt extends AttemptJson {
  exercises: ShownExercise[];
  answered: GradedAnswer[];
}

interface Found extends LearnerRead {
  isPremium: boolean;
  lesson: {
    courseId: string;
    version: number;
    unit: number;
    exercises: ShownExercise[];
    isUnlocked: boolean;
  } | null;
  same: FoundAttempt | null;
  open: FoundAttempt | null;
}

/** The free plan has this unit of each course. */
const freeUnit = 1;
const seedMax = 2 ** 31;

/**
 * Starts an attempt of a lesson. The attempt with this ID, or else the open attempt of the lesson, is returned instead.
 * Safe to repeat. Throws `not_found`, `premium_required`, `lesson_locked`, and `idempotency_mismatch` for the ID of another
 * lesson's attempt.
 */
export async function startAttempt(
  ctx: Context,
  { userId }: Actor,
  lessonId: string,
  attemptId: string,
): Promise<Started> {
  const { now } = ctx;
  const ids = { userId, lessonId, attemptId };
  const start = await writeLearner(ctx, userId, () => readStart(ctx, ids), decide);
  if (start.isNew) ctx.requestMetrics.attempt = "started";
  return start;

  function decide({ lesson, same, open, isPremium }: Found) {
    if (same && same.lessonId !== lessonId) throw new AppError("idempotency_mismatch");
    const known = same ?? (open && isOpen(open, now) ? open : null);
    if (known) return { reply: { isNew: false, started: presentStart(known, now) } };
    if (!lesson) throw new AppError("not_found");
    if (lesson.unit > freeUnit && !isPremium) throw new AppError("premium_required");
    if (!lesson.isUnlocked) throw new AppError("lesson_locked");
    const { courseId, version, exercises } = lesson;
    const attempt = {
      id: attemptId,
      ...{ lessonId, courseId, version, exercises },
      state: "started" as const,
      startedAt: now.toISOString(),
      seed: randomInt(seedMax),
      answered: [],
    };
    const parts: Record<string, SQL> = open ? { expired: abandon(open.id) } : {};
    // The index allows one open attempt: the expired one is changed first.
    const after = open ? sql`, (select count(*) from expired) as before` : sql``;
    parts.started = insertAttempt(attempt, after, now);
    const reply = { isNew: true, started: presentStart(attempt, now) };
    return { reply, write: { parts } };
  }
}

function presentStart({ exercises, answered, ...attempt }: FoundAttempt, now: Date) {
  return {
    attempt: presentAttempt(attempt, now),
    exercises: shuffled(exercises, attempt.seed),
    answered,
  };
}

const insertAttempt = (attempt: AttemptJson, after: SQL, now: Date): SQL => sql`
  insert into ${attempts} (user_id, id, lesson_id, course_id, version, state, seed, started_at, received_at, revision)
  select learner.user_id, cast(${attempt.id} as uuid), cast(${attempt.lessonId} as uuid),
    cast(${attempt.courseId} as uuid), cast(${attempt.version} as integer), 'started',
    cast(${attempt.seed} as integer), ${timestamp(now)}, ${timestamp(now)}, learner.revision
  from learner${after}`;

interface Ids {
  userId: string;
  lessonId: string;
  attemptId: string;
}

async function readStart({ db }: Context, { userId, lessonId, attemptId }: Ids) {
  const attemptWhere = (condition: SQL) => sql`(
    select json_build_object(${attemptFields}, 'exercises', l.exercises, 'answered', ${answersOfAttempt})
    from ${attempts} a join ${lessons} l on l.id = a.lesson_id and l.version = a.version
    where a.user_id = u.id and ${condition})`;
  const { rows } = await db.execute<{ found: Found }>(sql`
    select json_build_object(
      'revision', coalesce((select revision from ${learners} where user_id = u.id), 0),
      'isPremium', u.is_premium,
      'lesson', (
        select json_build_object('courseId', l.course_id, 'version', l.version, 'unit', l.unit,
          'exercises', l.exercises, 'isUnlocked', ${isUnlocked})
        from ${lessons} l join ${courses} c on c.id = l.course_id and c.version = l.version
        cross join lateral (select array(select lesson_id from ${lessonProgress}
          where user_id = u.id and course_id = l.course_id) as done) p
        where l.id = ${lessonId}),
      'same', ${attemptWhere(sql`a.id = ${attemptId}`)},
      'open', ${attemptWhere(sql`a.lesson_id = ${lessonId} and a.state = 'started' and a.pack_id is null`)}
    ) as found
    from ${users} u where u.id = ${userId} and u.merged_into is null`);
  return rows[0]?.found ?? null;
}
