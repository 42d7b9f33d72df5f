import { and, eq, isNull, sql } from "drizzle-orm";
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
  for (const { id, deletionId } of cancellations) {
    if (deletionId) await cancelDeletion(ctx, id, by, { repeated: deletionId });
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
  return db
    .select({ id: users.id, deletionId: users.deletionId })
    .from(users)
    .where(sql`${users.deletionId} = ${anyOf(deletionIds, "uuid")}`);
}

type CopiedRequest = Pick<CopiedDeletion, "deletionId"> & NonNullable<CopiedDeletion["request"]>;

/** The audit row has the transaction of the request, and stays after a cancellation: without it, Postgres is older. */
async function lostRequests(ctx: Context, requests: CopiedRequest[]): Promise<CopiedRequest[]> {
  const { db, now, env } = ctx;
  const auditedSinceMs = now.getTime() - (env.audit.retentionDays - 1) * dayMs;
  const audited = requests.filter(
    ({ purgeAtMs }) => purgeAtMs - graceDays * dayMs > auditedSinceMs,
  );
  const ids = audited.map(({ userId }) => userId);
  const idle = await db
    .select({ id: users.id })
    .from(users)
    .where(and(sql`${users.id} = ${anyOf(ids, "uuid")}`, isNull(users.deletionId)));
  const idleIds = new Set(idle.map(({ id }) => id));
  const asked = audited.filter(({ userId }) => idleIds.has(userId));
  if (asked.length === 0) return [];
  const correlationIds = asked.map(({ correlationId }) => correlationId);
  const made = await db
    .select({ userId: auditLog.subjectId, correlationId: auditLog.correlationId })
    .from(auditLog)
    .where(
      and(
        sql`${auditLog.correlationId} = ${anyOf(correlationIds, "text")}`,
        eq(auditLog.action, "deletion.requested"),
      ),
    );
  const isMade = ({ userId, correlationId }: CopiedRequest) =>
    made.some((row) => row.userId === userId && row.correlationId === correlationId);
  return asked.filter((request) => !isMade(request));
}

/** One parameter, however many values. */
const anyOf = (values: string[], type: "uuid" | "text") =>
  sql`any(cast(${sql.param(values)} as ${sql.raw(type)}[]))`;

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
