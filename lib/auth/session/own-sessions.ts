import { and, desc, eq, sql } from "drizzle-orm";
import * as z from "zod";
import { auditIfAny } from "../../audit/audit.js";
import type { Actor, Context } from "../../context.js";
import { sessions } from "../../db/schema/accounts.js";
import { timestamp } from "../../db/timestamp.js";
import { writeOnce } from "../../db/write-once.js";
import { AppError } from "../../errors.js";
import { sessionsRevoked } from "../../observability/log-lines/sessions.js";
import { buildPage, type PageRequest } from "../../page.js";
import { EpochMs } from "../../timestamps.js";
import type { AccessClaims } from "../token/access-token.js";
import { revokeSessions } from "./session.js";
import { deleteSessionKeys } from "./session-keys.js";
import { isLiveSession } from "./session-status.js";

export const OwnSession = z.strictObject({
  id: z.string(),
  deviceName: z.string().nullable(),
  platform: z.string().nullable(),
  appVersion: z.string().nullable(),
  /** /24 of IPv4, /48 of IPv6. */
  ipPrefix: z.string().nullable(),
  country: z.string().nullable(),
  createdAt: z.iso.datetime(),
  /** The last refresh, or the sign-in. */
  lastSeenAt: z.iso.datetime(),
  current: z.boolean(),
});
export type OwnSession = z.infer<typeof OwnSession>;

/** The last row of a page: `createdAt` in ms and the id. */
export const SessionPosition = z.tuple([EpochMs, z.string().regex(/^[\w-]{1,64}$/)]);
export type SessionPosition = z.infer<typeof SessionPosition>;

/** The caller's live sessions, newest first. */
export async function listSessions(
  ctx: Context,
  actor: Actor,
  request: PageRequest<SessionPosition>,
) {
  const rows = await ctx.db
    .select()
    .from(sessions)
    .where(
      and(
        eq(sessions.userId, actor.userId),
        isLiveSession(ctx),
        request.cursor && isAfter(request.cursor),
      ),
    )
    .orderBy(desc(sessions.createdAt), desc(sessions.id))
    .limit(request.limit + 1);
  return buildPage(rows, request, (row) => presentSession(row, actor), positionOf);
}

type SessionRecord = typeof sessions.$inferSelect;

const positionOf = ({ createdAt, id }: SessionRecord): SessionPosition => [createdAt.getTime(), id];

function isAfter([createdAtMs, id]: SessionPosition) {
  const createdAt = timestamp(new Date(createdAtMs));
  return sql`(${sessions.createdAt}, ${sessions.id}) < (${createdAt}, ${id})`;
}

function presentSession(row: SessionRecord, { sessionId }: Actor): OwnSession {
  return {
    id: row.id,
    deviceName: row.deviceName,
    platform: row.devicePlatform,
    appVersion: row.appVersion,
    ipPrefix: row.ipPrefix,
    country: row.country,
    createdAt: row.createdAt.toISOString(),
    lastSeenAt: row.lastSeenAt.toISOString(),
    current: row.id === sessionId,
  };
}

/** Idempotent. Throws `token_invalid` for a session of another account. */
export async function logOut(ctx: Context, { userId, sessionId }: AccessClaims): Promise<void> {
  const { rows } = await ctx.db.execute<{ is_own: boolean }>(sql`
    with revoked as ${revokeSessions(ctx, { userId, id: sessionId }, "logged_out")}
    select ${sessions.userId} = ${userId} as is_own from ${sessions} where ${sessions.id} = ${sessionId}`);
  if (rows[0]?.is_own === false) throw new AppError("token_invalid");
  await deleteSessionKeys(ctx, [sessionId]);
}

/** Audited. Idempotent. Throws `not_found` for unknown sessions and those of other accounts. */
export async function revokeOwnSession(ctx: Context, actor: Actor, id: string): Promise<void> {
  const { userId } = actor;
  const { rows } = await ctx.db.execute<{ revoked: boolean }>(sql`
    with revoked as ${revokeSessions(ctx, { userId, id }, "revoked_by_owner")},
    audited as (${auditIfAny(ctx, auditOf(actor, "session.revoked"), sql`revoked`)})
    select exists (select 1 from revoked) as revoked
    from ${sessions} where ${sessions.id} = ${id} and ${sessions.userId} = ${userId}`);
  const [own] = rows;
  if (!own) throw new AppError("not_found");
  if (own.revoked) sessionsRevoked(ctx.correlationId, userId, [id]);
  await deleteSessionKeys(ctx, [id]);
}

/** Audited. A retry without an Idempotency-Key also revokes sessions created since. */
export async function revokeOtherSessions(ctx: Context, actor: Actor): Promise<void> {
  const { userId, sessionId: except } = actor;
  const write = ctx.db.execute<{ id: string }>(sql`
    with revoked as ${revokeSessions(ctx, { userId, except }, "revoked_by_owner")},
    audited as (${auditIfAny(ctx, auditOf(actor, "sessions.revoked"), sql`revoked`)})
    select id from revoked`);
  const [{ rows }] = await writeOnce(ctx, userId, [write]);
  if (rows.length === 0) return;
  const ids = rows.map(({ id }) => id);
  sessionsRevoked(ctx.correlationId, userId, ids);
  await deleteSessionKeys(ctx, ids);
}

function auditOf({ userId }: Actor, action: "session.revoked" | "sessions.revoked") {
  return { actor: { kind: "user", id: userId }, action, subjectId: userId } as const;
}
