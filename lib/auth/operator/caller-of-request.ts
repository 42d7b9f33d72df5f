import { and, eq, isNotNull } from "drizzle-orm";
import type { Context } from "../../context.js";
import { auditLog, securityEvents } from "../../db/schema/security.js";
import { accessLog } from "../../db/schema/telemetry.js";
import { userHashes } from "../../telemetry/request-event.js";

const rowsMax = 20;

/**
 * The account that was signed in to the requests with this correlation ID; null when unknown or not a single one. Events name
 * accounts, but also those that a stranger tried to sign in to, so the access log has to confirm the caller by its hash.
 */
export async function callerOfRequest(ctx: Context, correlationId: string): Promise<string | null> {
  const [events, audits, requests] = await ctx.db.batch([
    ctx.db
      .selectDistinct({ id: securityEvents.userId })
      .from(securityEvents)
      .where(and(eq(securityEvents.correlationId, correlationId), isNotNull(securityEvents.userId)))
      .limit(rowsMax),
    ctx.db
      .selectDistinct({ id: auditLog.actorId })
      .from(auditLog)
      .where(and(eq(auditLog.correlationId, correlationId), eq(auditLog.actorKind, "user")))
      .limit(rowsMax),
    ctx.db
      .selectDistinct({ hash: accessLog.userHash })
      .from(accessLog)
      .where(and(eq(accessLog.correlationId, correlationId), isNotNull(accessLog.userHash)))
      .limit(rowsMax),
  ]);
  const [request, ...others] = requests;
  if (!request?.hash || others.length > 0) return null;
  const { hash } = request;
  const ids = [...events, ...audits].flatMap(({ id }) => (id === null ? [] : [id]));
  return ids.find((id) => userHashes(ctx.env, id).includes(hash)) ?? null;
}
