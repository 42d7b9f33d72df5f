import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Actor, Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { courses, lessons } from "../db/schema/content.js";
import { attempts, learners, lessonProgress, xpEntries } from "../db/schema/learning.js";
import { timestamp } from "../db/timestamp.js";
import { AppError } from "../errors.js";
import {
  Attempt,
  type AttemptJson,
  answersOfAttempt,
  attemptFields,
  type GradedAnswer,
  isOpen,
  ofLearner,
  presentAttempt,
} from "./attempt.js";
import { type LearnerRead, type LearnerWrite, writeLearner } from "./learner-write.js";
import { type LocalDate, localDateOf } from "./local-date.js";
import { scoreOf } from "./score.js";
import { lessonXp, standing, standingOf, sumOf, type XpEntry, xpKinds } from "./xp.js";

const LessonProgress = z.strictObject({
  lessonId: z.uuid(),
  state: z.enum(["completed", "tested_out"]),
  completions: z.int().min(0),
  firstCompletedAt: z.iso.datetime().nullable(),
});

export const CompletedAttempt = z
  .strictObject({
    attempt: Attempt,
    xp: z.array(z.strictObject({ kind: z.enum(xpKinds), xp: z.int().min(0) })),
    /** Of this completion. */
    xpTotal: z.int().min(0),
    ...standing,
    isPerfect: z.boolean(),
    progress: LessonProgress,
    /** The lessons that this completion has unlocked, in the order of the course. */
    unlocked: z.array(z.uuid()),
  })
  .meta({ id: "CompletedAttempt" });
type CompletedAttempt = z.infer<typeof CompletedAttempt>;

interface Found extends LearnerRead {
  totalXp: number;
  zones: { timeZone: string; previousTimeZone: string | null; timeZoneFrom: string | null };
  attempt:
    | (AttemptJson & {
        result: CompletedAttempt | null;
        xpReward: number;
        perfectBonus: number;
        exerciseIds: string[];
        answered: GradedAnswer[];
        isPaid: boolean;
        progress: { completions: number; firstCompletedAt: string | null } | null;
        unlocks: string[];
      })
    | null;
}

/**
 * Completes an attempt and pays its points once. Safe to repeat: a later call gets the first result.
 * Throws `not_found`, `attempt_not_open` for an abandoned attempt, and `attempt_incomplete` with the exercises that are missing.
 */
export async function completeAttempt(
  ctx: Context,
  { userId }: Actor,
  attemptId: string,
): Promise<CompletedAttempt> {
  const read = () => readCompletion(ctx, userId, attemptId);
  const { isNew, result } = await writeLearner(ctx, userId, read, (found) => decide(ctx, found));
  if (isNew) ctx.requestMetrics.attempt = "completed";
  return result;
}

function decide(ctx: Context, { attempt, zones, totalXp }: Found) {
  if (!attempt) throw new AppError("not_found");
  if (attempt.result) return { reply: { isNew: false, result: attempt.result } };
  if (!isOpen(attempt, ctx.now)) throw new AppError("attempt_not_open");
  const score = scoreOf(attempt.exerciseIds, attempt.answered);
  if (score.remaining.length > 0) throw incomplete(score.remaining);

  const { id, lessonId, courseId, version, seed, xpReward, perfectBonus } = attempt;
  const { firstTryRights, isPerfect } = score;
  // The clocks of two servers differ: no attempt ends before its start.
  const startedAt = new Date(attempt.startedAt);
  const completedAt = startedAt > ctx.now ? startedAt : ctx.now;
  const entries = lessonXp({
    ...{ lessonId, attemptId: id, xpReward, perfectBonus, firstTryRights, isPerfect },
    isFirst: !attempt.isPaid,
  });
  const xpTotal = sumOf(entries);
  const first = attempt.progress?.firstCompletedAt;
  const completed = { id, lessonId, courseId, version, seed, state: "completed" } as const;
  const result: CompletedAttempt = {
    attempt: presentAttempt({ ...completed, startedAt: attempt.startedAt }, ctx.now),
    xp: entries.map(({ kind, xp }) => ({ kind, xp })),
    xpTotal,
    ...standingOf(totalXp + xpTotal),
    isPerfect,
    progress: {
      lessonId,
      state: "completed",
      completions: (attempt.progress?.completions ?? 0) + 1,
      firstCompletedAt: (first ? new Date(first) : completedAt).toISOString(),
    },
    unlocked: attempt.progress ? [] : attempt.unlocks,
  };
  const timeZoneFrom = zones.timeZoneFrom === null ? null : new Date(zones.timeZoneFrom);
  const day = localDateOf({ ...zones, timeZoneFrom }, completedAt);
  const parts = completionParts({ result, entries, completedAt, day });
  const write: LearnerWrite = { parts, xp: xpTotal };
  return { reply: { isNew: true, result }, write };
}

function incomplete(exerciseIds: string[]): AppError {
  const fields = exerciseIds.map((id) => ({
    pointer: `/exercises/${id}`,
    code: "exercise_unsolved",
    message: "This exercise has no right answer yet.",
  }));
  return new AppError("attempt_incomplete", { fields });
}

interface Completion {
  result: CompletedAttempt;
  entries: XpEntry[];
  completedAt: Date;
  day: LocalDate;
}

function completionParts({ result, entries, completedAt, day }: Completion): Record<string, SQL> {
  const { attempt, isPerfect } = result;
  const at = timestamp(completedAt);
  const json = (value: unknown) => sql`cast(${JSON.stringify(value)} as jsonb)`;
  const localDate = sql`cast(${day.date} as date)`;
  return {
    completed: sql`
      update ${attempts} set state = 'completed', completed_at = ${at}, local_date = ${localDate},
        zone = ${day.zone}, is_perfect = ${isPerfect}, result = ${json(result)}, revision = learner.revision
      from learner
      where ${ofLearner} and ${attempts.id} = cast(${attempt.id} as uuid)`,
    progress: sql`
      insert into ${lessonProgress} (user_id, lesson_id, course_id, state, completions, first_completed_at, revision)
      select user_id, cast(${attempt.lessonId} as uuid), cast(${attempt.courseId} as uuid), 'completed', 1,
        ${at}, revision from learner
      on conflict (user_id, lesson_id) do update set state = 'completed',
        completions = lesson_progress.completions + 1,
        first_completed_at = coalesce(lesson_progress.first_completed_at, excluded.first_completed_at),
        revision = excluded.revision`,
    paid: sql`
      insert into ${xpEntries} (user_id, kind, fact, xp, local_date, earned_at, revision)
      select user_id, kind, fact, xp, ${localDate}, ${at}, revision
      from learner, jsonb_to_recordset(${json(entries)}) as entry (kind text, fact text, xp integer)`,
  };
}

async function readCompletion({ db }: Context, userId: string, attemptId: string) {
  const progressOf = sql`from ${lessonProgress} where user_id = u.id and lesson_id`;
  const unlocks = sql`(
    select coalesce(json_agg(n.id order by n.position), '[]')
    from ${courses} c join ${lessons} n on n.course_id = c.id and n.version = c.version
    where c.id = a.course_id and a.lesson_id = any(n.requires)
      and n.requires <@ array(select a.lesson_id union all
        select lesson_id from ${lessonProgress} where user_id = u.id and course_id = a.course_id)
      and not exists (select ${progressOf} = n.id))`;
  const { rows } = await db.execute<{ found: Found }>(sql`
    select json_build_object(
      'revision', coalesce(learner.revision, 0),
      'totalXp', coalesce(learner.total_xp, 0),
      'zones', json_build_object('timeZone', u.time_zone, 'previousTimeZone', u.previous_time_zone,
        'timeZoneFrom', u.time_zone_from),
      'attempt', (
        select json_build_object(${attemptFields}, 'result', a.result,
          'xpReward', l.xp_reward, 'perfectBonus', l.perfect_bonus,
          'exerciseIds', jsonb_path_query_array(l.exercises, '$[*].id'),
          'answered', ${answersOfAttempt},
          'isPaid', exists (select from ${xpEntries}
            where user_id = u.id and kind = 'lesson_first' and fact = cast(a.lesson_id as text)),
          'progress', (select json_build_object('completions', completions, 'firstCompletedAt', first_completed_at)
            ${progressOf} = a.lesson_id),
          'unlocks', ${unlocks})
        from ${attempts} a join ${lessons} l on l.id = a.lesson_id and l.version = a.version
        where a.user_id = u.id and a.id = ${attemptId})
    ) as found
    from ${users} u left join ${learners} learner on learner.user_id = u.id
    where u.id = ${userId} and u.merged_into is null`);
  return rows[0]?.found ?? null;
}
