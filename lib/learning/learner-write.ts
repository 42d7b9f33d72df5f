import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { learners } from "../db/schema/learning.js";
import { AppError } from "../errors.js";

/** What a write needs of the learner, read in one statement with everything else that decides it. */
export interface LearnerRead {
  /** 0 before the first write. */
  revision: number;
}

export interface LearnerWrite {
  /** Parts of one statement, by name. Each selects from `learner`, which has a row with the new `revision` if all of them apply. */
  parts: Record<string, SQL>;
  /** The sum of the rows that the parts add to the ledger. */
  xp?: number;
}

const triesMax = 4;

/**
 * Every write of rows that devices copy (docs/decisions/052). `decide` gets a new read each time, and returns the reply with the write, or
 * without one when nothing is to be changed. The write applies only if the learner has not changed since the read.
 * Throws `session_revoked` for an account that is gone or merged, and `service_unavailable` (safe to retry) after the last try.
 */
export async function writeLearner<Read extends LearnerRead, Reply>(
  ctx: Context,
  userId: string,
  read: () => Promise<Read | null>,
  decide: (found: Read) => { reply: Reply; write?: LearnerWrite },
): Promise<Reply> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const found = await read();
    if (!found) throw new AppError("session_revoked");
    const { reply, write } = decide(found);
    if (!write || (await apply(ctx, userId, found.revision, write))) return reply;
  }
  throw new AppError("service_unavailable", { retryAfterSeconds: 1 });
}

/** The account is locked before the learner, as in a merge: in another order each could wait for the other. */
async function apply(
  { db }: Context,
  userId: string,
  revision: number,
  { parts, xp = 0 }: LearnerWrite,
): Promise<boolean> {
  const named = Object.entries(parts).map(
    ([name, part]) => sql`${sql.identifier(name)} as (${part})`,
  );
  const { rows } = await db.execute(sql`
    with account as (
      select id from ${users} where id = ${userId} and merged_into is null for key share
    ), learner as (
      insert into ${learners} (user_id, revision, total_xp)
      select id, 1, cast(${xp} as integer) from account
      on conflict (user_id) do update
        set revision = learners.revision + 1, total_xp = learners.total_xp + ${xp}
        where learners.revision = ${revision}
      returning user_id, revision
    ), ${sql.join(named, sql`, `)}
    select revision from learner`);
  return rows.length > 0;
}
