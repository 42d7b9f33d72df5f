import { and, gt, gte, isNull, or, type SQL, sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { securitySettings, sessions, users } from "../../db/schema/accounts.js";
import { AppError } from "../../errors.js";

/**
 * The moment before which every session has ended, for any query. Not a join: the planner takes the one
 * row of that table for thousands, and then reads others whole.
 */
export const recordedRevokeAllBefore =
  sql`(select ${securitySettings.revokeAllBefore} from ${securitySettings})`.mapWith(
    securitySettings.revokeAllBefore,
  );

/** What tells whether a session lives, for any query that joins its account. */
export const liveness = {
  createdAt: sessions.createdAt,
  revokedAt: sessions.revokedAt,
  idleExpiresAt: sessions.idleExpiresAt,
  expiresAt: sessions.expiresAt,
  isClosed: sql<boolean>`(${users.suspendedAt} is not null or ${users.purgeAt} is not null)`,
  revokeAllBefore: recordedRevokeAllBefore,
};

export interface Liveness {
  createdAt: Date;
  revokedAt: Date | null;
  idleExpiresAt: Date;
  expiresAt: Date | null;
  /** The account is suspended, or about to be deleted. */
  isClosed: boolean;
  revokeAllBefore: Date;
}

/** Throws `session_revoked` or `session_expired` for a session that has ended. */
export function requireLive({ now }: Context, session: Liveness): void {
  const { createdAt, revokedAt, idleExpiresAt, expiresAt, isClosed, revokeAllBefore } = session;
  if (revokedAt || isClosed || createdAt < revokeAllBefore) throw new AppError("session_revoked");
  if (idleExpiresAt <= now || (expiresAt && expiresAt <= now)) {
    throw new AppError("session_expired");
  }
}

/** The same of the sessions of an account that is open, as a condition. */
export function isLive({ now }: Context): SQL | undefined {
  return and(
    isNull(sessions.revokedAt),
    gt(sessions.idleExpiresAt, now),
    or(isNull(sessions.expiresAt), gt(sessions.expiresAt, now)),
    gte(sessions.createdAt, recordedRevokeAllBefore),
  );
}
