import { and, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { queueEntries } from "../db/schema/queue.js";
import { isDead, isJob } from "../queue/dead-letters.js";
import type { Kind } from "../queue/kind.js";
import { runDue, type Tally } from "../queue/run-due.js";

export interface JobCounts extends Tally {
  /** All dead jobs after the run. */
  dead: number;
}

/** Run due jobs, kind by kind, until `endMs` (`performance.now()`). */
export async function runJobs(
  ctx: Context,
  kinds: readonly Kind[],
  endMs: number,
): Promise<JobCounts> {
  const counts = { done: 0, dropped: 0, retried: 0, died: 0, expired: 0 };
  for (const kind of kinds) {
    const tally = await runDue(ctx, kind, endMs);
    for (const end of ["done", "dropped", "retried", "died", "expired"] as const) {
      counts[end] += tally[end];
    }
  }
  return { ...counts, dead: await countDead(ctx) };
}

async function countDead({ db }: Context): Promise<number> {
  const count = sql<number>`cast(count(*) as integer)`;
  const [row] = await db.select({ count }).from(queueEntries).where(and(isJob, isDead));
  return row?.count ?? 0;
}
