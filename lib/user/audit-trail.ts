import { and, desc, eq, lt, or } from "drizzle-orm";
import * as z from "zod";
import type { Actor, Context } from "../context.js";
import { auditLog } from "../db/schema/security.js";
import { buildPage, type PageRequest } from "../page.js";

export const AuditTrailEntry = z.strictObject({
  at: z.iso.datetime(),
  action: z.string(),
  actor: z.enum(["you", "operator", "system"]),
  /** Null when unknown, and for the actions of others. */
  ipPrefix: z.string().nullable(),
});
export type AuditTrailEntry = z.infer<typeof AuditTrailEntry>;

export const AuditPosition = z.int().min(1);

/** Entries about the user and entries of their own actions, newest first. */
export async function listAuditTrail(
  ctx: Context,
  { userId }: Actor,
  request: PageRequest<number>,
) {
  const rows = await ctx.db
    .select()
    .from(auditLog)
    .where(
      and(
        or(eq(auditLog.subjectId, userId), eq(auditLog.actorId, userId)),
        request.cursor === undefined ? undefined : lt(auditLog.id, request.cursor),
      ),
    )
    .orderBy(desc(auditLog.id))
    .limit(request.limit + 1);
  return buildPage(
    rows,
    request,
    (row) => presentEntry(row, userId),
    ({ id }) => id,
  );
}

function presentEntry(row: typeof auditLog.$inferSelect, userId: string): AuditTrailEntry {
  const isOwn = row.actorId === userId;
  const other = row.actorKind === "operator" ? "operator" : "system";
  return {
    at: row.at.toISOString(),
    action: row.action,
    actor: isOwn ? "you" : other,
    ipPrefix: isOwn ? row.ipPrefix : null,
  };
}
