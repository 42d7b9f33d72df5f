import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Actor, Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { attempts, learners } from "../db/schema/learning.js";
import { AppError } from "../errors.js";
import { Attempt, type AttemptJson, abandon, attemptFields, presentAttempt } from "./attempt.js";
import { type LearnerRead, writeLearner } from "./learner-write.js";

export const AbandonedAttempt = z.strictObject({ attempt: Attempt });

interface Found extends LearnerRead {
  attempt: AttemptJson | null;
}

/** Safe to repeat. Throws `not_found`, and `attempt_not_open` for a completed attempt. */
export async function abandonAttempt(
  ctx: Context,
  { userId }: Actor,
  attemptId: string,
): Promise<z.infer<typeof AbandonedAttempt>> {
  const read = () => readAttempt(ctx, userId, attemptId);
  const { isChanged, attempt } = await writeLearner(ctx, userId, read, decide);
  if (isChanged) ctx.requestMetrics.attempt = "abandoned";
  return { attempt };

  function decide({ attempt }: Found) {
    if (!attempt) throw new AppError("not_found");
    if (attempt.state === "completed") throw new AppError("attempt_not_open");
    const isChanged = attempt.state === "started";
    const abandoned = presentAttempt({ ...attempt, state: "abandoned" }, ctx.now);
    const reply = { attempt: abandoned, isChanged };
    return isChanged ? { reply, write: { parts: { abandoned: abandon(attemptId) } } } : { reply };
  }
}

async function readAttempt({ db }: Context, userId: string, attemptId: string) {
  const { rows } = await db.execute<{ found: Found }>(sql`
    select json_build_object(
      'revision', coalesce((select revision from ${learners} where user_id = u.id), 0),
      'attempt', (select json_build_object(${attemptFields})
        from ${attempts} a where a.user_id = u.id and a.id = ${attemptId})
    ) as found
    from ${users} u where u.id = ${userId} and u.merged_into is null`);
  return rows[0]?.found ?? null;
}
