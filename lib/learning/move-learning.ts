import { type SQL, sql } from "drizzle-orm";
import { attempts, learners, lessonProgress, xpEntries } from "../db/schema/learning.js";

/**
 * The statements of a merge, in this order: the account gets what the guest has learned. Where both have paid for one fact, the account's
 * row stays. `isMerged` says whether the merge takes place, whose transaction has locked both accounts.
 */
export function moveLearning(guestId: string, accountId: string, isMerged: SQL): SQL[] {
  const ofGuest = sql`user_id = ${guestId}`;
  const ofAccount = sql`user_id = ${accountId}`;
  const account = sql`cast(${accountId} as uuid)`;
  const revision = sql`(select revision from ${learners} where ${ofAccount})`;
  return [
    // Later writes of the account wait here, and find that its revision has risen.
    sql`insert into ${learners} (user_id, revision, total_xp) select ${account}, 1, 0 where ${isMerged}
      on conflict (user_id) do update set revision = learners.revision + 1`,
    sql`update ${attempts} own set state = 'abandoned'
      where ${ofGuest} and state = 'started' and pack_id is null and ${isMerged} and exists (
        select from ${attempts} other where other.user_id = ${accountId} and other.lesson_id = own.lesson_id
          and other.state = 'started' and other.pack_id is null)`,
    sql`update ${attempts} own set user_id = ${account}, revision = ${revision}
      where ${ofGuest} and ${isMerged}
        and not exists (select from ${attempts} other where other.user_id = ${accountId} and other.id = own.id)`,
    sql`with moved as (
        delete from ${lessonProgress} where ${ofGuest} and ${isMerged} returning *
      )
      insert into ${lessonProgress} (user_id, lesson_id, course_id, state, completions, first_completed_at, revision)
      select ${account}, lesson_id, course_id, state, completions, first_completed_at, ${revision} from moved
      on conflict (user_id, lesson_id) do update set
        state = case when excluded.state = 'completed' then 'completed' else lesson_progress.state end,
        completions = lesson_progress.completions + excluded.completions,
        first_completed_at = least(lesson_progress.first_completed_at, excluded.first_completed_at),
        revision = excluded.revision`,
    sql`with moved as (
        delete from ${xpEntries} where ${ofGuest} and ${isMerged} returning *
      )
      insert into ${xpEntries} (user_id, kind, fact, xp, local_date, earned_at, revision)
      select ${account}, kind, fact, xp, local_date, earned_at, ${revision} from moved
      on conflict do nothing`,
    sql`update ${learners} set total_xp = (select coalesce(sum(xp), 0) from ${xpEntries} where ${ofAccount})
      where ${ofAccount} and ${isMerged}`,
    sql`delete from ${learners} where ${ofGuest} and ${isMerged}`,
  ];
}
