import { and, eq, type SQL, sql } from "drizzle-orm";
import { type AuditEntry, auditIfAny, auditRow } from "../audit/audit.js";
import { getSubject } from "../auth/operator/subject.js";
import { revokeSessions } from "../auth/session/session.js";
import { deleteSessionKeys } from "../auth/session/session-keys.js";
import { isLiveSession } from "../auth/session/session-status.js";
import { enforceRevocationsOf } from "../auth/session/sweep-session-keys.js";
import type { Context } from "../context.js";
import { sessions, users } from "../db/schema/accounts.js";
import { securitySettings } from "../db/schema/gate.js";
import { timestamp } from "../db/timestamp.js";
import { AppError } from "../errors.js";
import { redisCopyOutdated } from "../observability/log-lines/gate.js";
import { roundTrip } from "../redis/client.js";
import { enforce, enforceTimeoutMs } from "../redis/enforce.js";
import { clearIgnoredRevokeAll, raiseRevokeAll } from "../redis/revoke-all.js";
import type { Act, ChangeOutcome } from "./act.js";

const verb = (dryRun: boolean) => (dryRun ? "Would revoke" : "Revoked");
const noUndo = "There is no undo: the user signs in again, a guest cannot.";

/** Revoke one session. For a revoked session, only its Redis key is deleted again. Throws `not_found`. */
export async function revokeSessionById(
  ctx: Context,
  id: string,
  { by, dryRun }: Act,
): Promise<ChangeOutcome> {
  const [session] = await ctx.db
    .select({ userId: sessions.userId, revokedAt: sessions.revokedAt })
    .from(sessions)
    .where(eq(sessions.id, id));
  if (!session) throw new AppError("not_found");
  const entry = { ...by, action: "session.revoked", subjectId: session.userId } as const;
  if (!dryRun) {
    await ctx.db.execute(sql`
      with revoked as ${revokeSessions(ctx, { id }, "revoked_by_operator")},
      audited as (${auditIfAny(ctx, entry, sql`revoked`)})
      select id from revoked`);
    // Always: the Redis key can outlive the record.
    await deleteSessionKeys(ctx, [id]);
  }
  const done = session.revokedAt
    ? `Session ${id} was already revoked.`
    : `${verb(dryRun)} session ${id}. ${noUndo}`;
  return { done, undo: null, detail: { sessionId: id, userId: session.userId } };
}

/** Revoke all sessions of an account, named by ID or confirmed e-mail address; the count is of live ones. Throws `not_found`. */
export async function revokeUserSessions(
  ctx: Context,
  name: string,
  { by, dryRun }: Act,
): Promise<ChangeOutcome> {
  const { id: userId } = await getSubject(ctx, name);
  const entry = { ...by, action: "sessions.revoked", subjectId: userId } as const;
  const live = sql`select id from ${sessions} where ${and(eq(sessions.userId, userId), isLiveSession(ctx))}`;
  const ids = await (dryRun ? readIds(ctx, live) : revokeSessionsOf(ctx, userId, live, entry));
  return {
    done:
      ids.length === 0
        ? nothingRevoked(ctx, userId)
        : `${verb(dryRun)} ${ids.length} ${ids.length === 1 ? "session" : "sessions"} of ${userId}. ${noUndo}`,
    undo: null,
    detail: { userId, sessions: ids.length },
  };
}

function nothingRevoked({ requestMetrics }: Context, userId: string): string {
  return requestMetrics.isPendingInRedis
    ? `No session of ${userId} is live in Postgres: nothing new was revoked. Redis may still have sessions that were revoked before.`
    : `${userId} has no session to revoke.`;
}

/** Returns the IDs that were live. */
async function revokeSessionsOf(
  ctx: Context,
  userId: string,
  live: SQL,
  entry: AuditEntry,
): Promise<string[]> {
  // All parts of a statement see the rows as they were before it.
  const ids = await readIds(
    ctx,
    sql`
    with revoked as ${revokeSessions(ctx, { userId }, "revoked_by_operator")},
    audited as (${auditIfAny(ctx, entry, sql`revoked`)})
    select id from revoked where id in (${live})`,
  );
  await enforceRevocationsOf(ctx, userId);
  return ids;
}

async function readIds({ db }: Context, query: SQL): Promise<string[]> {
  const { rows } = await db.execute<{ id: string }>(query);
  return rows.map(({ id }) => id);
}

/**
 * Revoke every session created before now, including the caller's. Guests cannot sign in again, so they lose their
 * accounts. The later time wins, because clocks differ. Resolves while Redis is down: its copy is written later.
 */
export async function revokeAllSessions(ctx: Context, { by, dryRun }: Act): Promise<ChangeOutcome> {
  const detail = await countLive(ctx);
  const done = `${verb(dryRun)} all sessions: ${detail.sessions} live, ${detail.guests} of them guest sessions. Guests cannot sign in again. Your own session ends too: sign in with \`npm run ops -- login\`.`;
  if (dryRun) return { done, undo: null, detail };
  const before = securitySettings.revokeAllBefore;
  const [[settings]] = await ctx.db.batch([
    ctx.db
      .update(securitySettings)
      .set({ revokeAllBefore: sql`greatest(${before}, ${timestamp(ctx.now)})` })
      .returning(),
    auditRow(ctx, { ...by, action: "sessions.revoked_all", subjectId: "everybody" }),
  ]);
  const ms = (settings?.revokeAllBefore ?? ctx.now).getTime();
  await enforce(
    ctx,
    async () => {
      const trip = roundTrip(ctx);
      await Promise.all([
        raiseRevokeAll(trip, ms),
        clearIgnoredRevokeAll(trip),
        trip.send({ timeoutMs: enforceTimeoutMs }),
      ]);
    },
    (error) => redisCopyOutdated(ctx.correlationId, error),
  );
  return { done, undo: null, detail };
}

async function countLive(ctx: Context): Promise<{ sessions: number; guests: number }> {
  const [counts] = await ctx.db
    .select({
      sessions: sql<number>`count(*)::int`,
      guests: sql<number>`(count(*) filter (where ${users.isGuest}))::int`,
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(isLiveSession(ctx));
  return counts ?? { sessions: 0, guests: 0 };
}
