import { sql } from "drizzle-orm";
import { postponedDays } from "../admission/restore.js";
import type { Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { auditLog } from "../db/schema/security.js";
import { AppError } from "../errors.js";
import { deletionsMissing } from "../observability/log-lines/privacy.js";
import { cancelDeletion } from "./cancel-deletion.js";
import { type CopiedDeletion, readDeletionCopy } from "./deletion-copy.js";
import { graceDays, scheduleDeletion } from "./request-deletion.js";

const dayMs = 86_400_000;
const by = { actor: { kind: "system" }, reason: "repeated after a restore" } as const;

/**
 * Repeat each request and cancellation that the copy in Redis knows and Postgres does not: the database is then older. A
 * repeated request leaves three days at least. Safe to repeat and to run concurrently. Rejects without Redis.
 */
export async function repeatDeletions(
  ctx: Context,
): Promise<{ requested: number; cancelled: number }> {
  const copied = await readDeletionCopy(ctx);
  const cancellations = await lostCancellations(
    ctx,
    copied.flatMap(({ deletionId, request }) => (request ? [] : [deletionId])),
  );
  for (const { id, deletion_id } of cancellations) {
    await cancelDeletion(ctx, id, by, { repeated: deletion_id });
  }
  const requests = await lostRequests(
    ctx,
    copied.flatMap(({ deletionId, request }) => (request ? [{ deletionId, ...request }] : [])),
  );
  for (const request of requests) await repeatRequest(ctx, request);
  const counts = { requested: requests.length, cancelled: cancellations.length };
  if (counts.requested + counts.cancelled > 0) deletionsMissing(ctx.correlationId, counts);
  return counts;
}

async function lostCancellations({ db }: Context, deletionIds: string[]) {
  const { rows } = await db.execute<{ id: string; deletion_id: string }>(sql`
    select id, deletion_id from ${users}
    where deletion_id = any(cast(${sql.param(deletionIds)} as uuid[]))`);
  return rows;
}

type CopiedRequest = Pick<CopiedDeletion, "deletionId"> & NonNullable<CopiedDeletion["request"]>;

/** The audit row has the transaction of the request, and stays after a cancellation: without it, Postgres is older. */
async function lostRequests(ctx: Context, requests: CopiedRequest[]): Promise<CopiedRequest[]> {
  const { db, now, env } = ctx;
  const auditedSinceMs = now.getTime() - (env.audit.retentionDays - 1) * dayMs;
  const audited = requests.filter(
    ({ purgeAtMs }) => purgeAtMs - graceDays * dayMs > auditedSinceMs,
  );
  const asked = audited.map(({ deletionId: id, userId, correlationId }) => ({
    id,
    subject: userId,
    correlation: correlationId,
  }));
  const { rows } = await db.execute<{ id: string }>(sql`
    select asked.id
    from jsonb_to_recordset(cast(${JSON.stringify(asked)} as jsonb))
      as asked (id text, subject text, correlation text)
    join ${users} on users.id = cast(asked.subject as uuid)
    where users.deletion_id is null and not exists (
      select 1 from ${auditLog} where correlation_id = asked.correlation
        and subject_id = asked.subject and action = 'deletion.requested')`);
  const ids = new Set(rows.map(({ id }) => id));
  return audited.filter(({ deletionId }) => ids.has(deletionId));
}

/** With the correlation ID of the request: its audit row then shows that Postgres has it. */
async function repeatRequest(
  ctx: Context,
  { userId, deletionId, purgeAtMs, correlationId }: CopiedRequest,
): Promise<void> {
  const purgeAt = new Date(Math.max(purgeAtMs, ctx.now.getTime() + postponedDays * dayMs));
  const asRequested = { ...ctx, db: ctx.db, correlationId };
  await scheduleDeletion(asRequested, userId, by, { deletionId, purgeAt }).catch((error) => {
    // The last admin stays, and the account may have been erased since.
    if (!(error instanceof AppError)) throw error;
  });
}
