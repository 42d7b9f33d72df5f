import { and, desc, eq, gte, lt } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { auditLog } from "../db/schema/security.js";
import { buildPage, pageQuery } from "../page.js";
import { SinceParam } from "../timestamps.js";

export const AuditRow = z.strictObject({
  id: z.int(),
  at: z.iso.datetime(),
  actorKind: z.string(),
  actorId: z.string().nullable(),
  action: z.string(),
  subjectId: z.string().nullable(),
  reason: z.string().nullable(),
  correlationId: z.string(),
  ipPrefix: z.string().nullable(),
});

export const AuditQuery = z.strictObject({
  ...pageQuery(z.int().min(1)).shape,
  actor: z.string().max(64).optional(),
  action: z.string().max(64).optional(),
  subject: z.string().max(128).optional(),
  since: SinceParam.optional(),
});

export async function listAudit(ctx: Context, query: z.output<typeof AuditQuery>) {
  const { actor, action, subject, since, cursor } = query;
  const rows = await ctx.db
    .select()
    .from(auditLog)
    .where(
      and(
        actor === undefined ? undefined : eq(auditLog.actorId, actor),
        action === undefined ? undefined : eq(auditLog.action, action),
        subject === undefined ? undefined : eq(auditLog.subjectId, subject),
        since === undefined ? undefined : gte(auditLog.at, new Date(since)),
        cursor === undefined ? undefined : lt(auditLog.id, cursor),
      ),
    )
    .orderBy(desc(auditLog.id))
    .limit(query.limit + 1);
  return buildPage(
    rows,
    query,
    ({ at, ...row }) => ({ ...row, at: at.toISOString() }),
    ({ id }) => id,
  );
}
