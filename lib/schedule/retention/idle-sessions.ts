import { sql } from "drizzle-orm";
import { recordRemoval } from "../../audit/removals.js";
import type { Context } from "../../context.js";
import { sessions } from "../../db/schema/accounts.js";
import type { CronRun } from "../cron.js";
import { moveCursor, readCursor } from "../cursor.js";
import { retentionClass } from "./classes.js";
import { cutoff } from "./cutoff.js";

const cursor = "idle_sessions";
const rowsPerPage = 1000;
const pagesMax = 50;
/** How many sessions a run reads. */
export const sessionsPerRun = rowsPerPage * pagesMax;
const kind = retentionClass("sessions_expired");

/** Delete sessions that expired before the audit retention. Scans part of the table by ID, because each refresh would update an index. */
export async function pruneIdleSessions(ctx: Context, { lease, endMs }: CronRun) {
  const counts = { read: 0, deleted: 0 };
  for (let page = 0; page < pagesMax && performance.now() < endMs; page += 1) {
    const { last, read, deleted } = await prunePage(ctx, await readCursor(ctx, cursor));
    counts.read += read;
    counts.deleted += deleted;
    const isEnd = read < rowsPerPage;
    await moveCursor(ctx, lease, cursor, isEnd ? "" : last);
    if (isEnd) break;
  }
  return counts;
}

async function prunePage(ctx: Context, after: string) {
  const { rows } = await ctx.db.execute<{ last: string | null; read: number; deleted: number }>(sql`
    with page as (
      select id, least(idle_expires_at, expires_at) as ended_at from ${sessions}
      where id > ${after} order by id limit ${rowsPerPage}
    ), deleted as (
      delete from ${sessions} where id = any(array(
        select id from page where ended_at < ${cutoff(ctx, kind)}))
        -- A concurrent refresh may have extended it.
        and idle_expires_at < now()
      returning least(idle_expires_at, expires_at) as ended_at
    ), ${recordRemoval(ctx, kind.name, sql`select count(*) as rows, max(ended_at) as removed_to from deleted`)}
    select max(id) as last, cast(count(*) as integer) as read,
      cast((select count(*) from deleted) as integer) as deleted
    from page`);
  const { last = null, read = 0, deleted = 0 } = rows[0] ?? {};
  return { last: last ?? "", read, deleted };
}
