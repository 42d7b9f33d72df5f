import { and, asc, desc, eq, isNotNull, type SQL } from "drizzle-orm";
import * as z from "zod";
import { auditRow, type OperatorAct } from "../audit/audit.js";
import { securityEvent } from "../audit/security-events.js";
import { type Operator, requireAdmin } from "../auth/operator/operator.js";
import { getSubject } from "../auth/operator/subject.js";
import type { Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { erasures, isOverdueDeletion } from "../db/schema/privacy.js";
import { AppError } from "../errors.js";
import { cancelDeletion } from "../privacy/cancel-deletion.js";
import { openExport } from "../privacy/export.js";
import { countDeletions } from "../privacy/purge.js";
import { graceDays, scheduleDeletion } from "../privacy/request-deletion.js";
import type { Deletions } from "./deletion-list.js";

const pendingMax = 100;
const erasedMax = 20;

export async function listDeletions(ctx: Context): Promise<Deletions> {
  const [lists, counts] = await Promise.all([readLists(ctx), countDeletions(ctx)]);
  return { ...lists, counts };
}

/** Of one account; an erased one is found by its ID only. Throws `not_found`, `validation_failed`. */
export async function findDeletion(ctx: Context, name: string): Promise<Deletions> {
  const userId = await getSubject(ctx, name).then(
    ({ id }) => id,
    async (error) => {
      const isId = z.uuid().safeParse(name).success;
      const [receipt] = isId
        ? await ctx.db.select().from(erasures).where(eq(erasures.userId, name))
        : [];
      if (!receipt) throw error;
      return receipt.userId;
    },
  );
  const { pending, erased } = await readLists(ctx, userId);
  const overdue = pending.filter(({ isOverdue }) => isOverdue).length;
  return { pending, erased, counts: { pending: pending.length, overdue, erased: erased.length } };
}

async function readLists(
  { db }: Context,
  userId?: string,
): Promise<Pick<Deletions, "pending" | "erased">> {
  const of = (id: typeof users.id | typeof erasures.userId): SQL | undefined =>
    userId === undefined ? undefined : eq(id, userId);
  const [pending, erased] = await db.batch([
    db
      .select({
        userId: users.id,
        purgeAt: users.purgeAt,
        isOverdue: isOverdueDeletion,
      })
      .from(users)
      .where(and(isNotNull(users.purgeAt), of(users.id)))
      .orderBy(asc(users.purgeAt))
      .limit(pendingMax),
    db
      .select()
      .from(erasures)
      .where(of(erasures.userId))
      .orderBy(desc(erasures.erasedAt))
      .limit(erasedMax),
  ]);
  return {
    pending: pending.map((row) => ({
      ...row,
      purgeAt: (row.purgeAt ?? new Date(0)).toISOString(),
    })),
    erased: erased.map((row) => ({ ...row, erasedAt: row.erasedAt.toISOString() })),
  };
}

interface Act {
  operator: Operator;
  by: OperatorAct;
  dryRun: boolean;
}

interface Outcome {
  done: string;
  undo: string | null;
  detail: Record<string, unknown>;
}

/** For a request by mail: with the grace period, also for a guest. Throws `last_admin`, `not_found`, `forbidden`. */
export async function deleteForUser(
  ctx: Context,
  name: string,
  { operator, by, dryRun }: Act,
): Promise<Outcome> {
  const subject = await getSubject(ctx, name);
  if (subject.role !== "user") requireAdmin(ctx, operator);
  const { id, purgeAt: standing } = subject;
  if (standing) {
    return {
      done: `${id} is already pending deletion, until ${standing.toISOString()}.`,
      undo: null,
      detail: { userId: id, purgeAt: standing.toISOString() },
    };
  }
  if (dryRun) {
    return {
      done: `Would sign out ${id} and erase it in ${graceDays} days.`,
      undo: null,
      detail: { userId: id },
    };
  }
  const { purgeAt, sessionsEnded } = await scheduleDeletion(ctx, id, by);
  return {
    done: `${id} is signed out, and will be erased at ${purgeAt.toISOString()}.`,
    undo: `npm run ops -- gdpr cancel ${id} --reason "undo"`,
    detail: { userId: id, purgeAt: purgeAt.toISOString(), sessionsEnded },
  };
}

/** Also after the grace period, as long as the account is there. Throws `not_found`, `forbidden`. */
export async function cancelForUser(
  ctx: Context,
  name: string,
  { operator, by, dryRun }: Act,
): Promise<Outcome> {
  const { id, role, purgeAt } = await getSubject(ctx, name);
  if (role !== "user") requireAdmin(ctx, operator);
  const detail = { userId: id };
  if (!purgeAt) return { done: `No deletion of ${id} is pending.`, undo: null, detail };
  if (dryRun) return { done: `Would cancel the deletion of ${id}.`, undo: null, detail };
  if (!(await cancelDeletion(ctx, id, by, "operator"))) throw new AppError("not_found");
  return {
    done: `Cancelled the deletion of ${id}. The user can sign in again.`,
    undo: `npm run ops -- gdpr delete ${id} --reason "undo"`,
    detail,
  };
}

/** Audited. Throws `not_found`, `forbidden`. */
export async function exportForUser(
  ctx: Context,
  name: string,
  { operator, by }: Omit<Act, "dryRun">,
): Promise<AsyncGenerator<string, void>> {
  const { id, role } = await getSubject(ctx, name);
  if (role !== "user") requireAdmin(ctx, operator);
  const parts = await openExport(ctx, id, async () => {});
  await auditRow(ctx, { ...by, action: "data.exported", subjectId: id });
  securityEvent(ctx, "admin_action", { data: { operation: "gdpr", account: operator.id } });
  return parts;
}
