import { and, gt, gte, isNull, or, type SQL, sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { securitySettings } from "../../db/schema/gate.js";
import { AppError } from "../../errors.js";

/** A subquery, not a join: the planner expects thousands of rows in this one-row table. */
export const recordedRevokeAllBefore =
  sql`(select ${securitySettings.revokeAllBefore} from ${securitySettings})`.mapWith(
    securitySettings.revokeAllBefore,
  );

/** Columns for any query that joins `sessions` and `users`. */
export const sessionStatusColumns = {
  createdAt: sessions.createdAt,
  revokedAt: sessions.revokedAt,
  idleExpiresAt: sessions.idleExpiresAt,
  expiresAt: sessions.expiresAt,
  isClosed: sql<boolean>`(${users.suspendedAt} is not null or ${users.purgeAt} is not null)`,
  revokeAllBefore: recordedRevokeAllBefore,
};

export interface SessionStatus {
  createdAt: Date;
  revokedAt: Date | null;
  idleExpiresAt: Date;
  expiresAt: Date | null;
  /** Suspended or pending deletion. */
  isClosed: boolean;
  revokeAllBefore: Date;
}

/** Throws `session_revoked`, `session_expired`. */
export function requireLiveStatus({ now }: Context, session: SessionStatus): void {
  const { createdAt, revokedAt, idleExpiresAt, expiresAt, isClosed, revokeAllBefore } = session;
  if (revokedAt || isClosed || createdAt < revokeAllBefore) throw new AppError("session_revoked");
  if (idleExpiresAt <= now || (expiresAt && expiresAt <= now)) {
    throw new AppError("session_expired");
  }
}

/** The same as an SQL condition, without `isClosed`. */
export function isLiveSession({ now }: { now: Date | SQL }): SQL | undefined {
  return and(
    isNull(sessions.revokedAt),
    gt(sessions.idleExpiresAt, now),
    or(isNull(sessions.expiresAt), gt(sessions.expiresAt, now)),
    gte(sessions.createdAt, recordedRevokeAllBefore),
  );
}
