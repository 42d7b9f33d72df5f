import type { BatchItem } from "drizzle-orm/batch";
import { securityEvent } from "../../audit/security-events.js";
import type { Context } from "../../context.js";
import { lacksRequiredRow } from "../../db/failures.js";
import { writeOnce } from "../../db/write-once.js";
import { AppError } from "../../errors.js";
import { sessionKeysUndeleted } from "../../observability/log-lines/sessions.js";
import { recordSuccessfulAttempt } from "../../rate-limit/attempt-events.js";
import type { Reservation } from "../../rate-limit/count.js";
import { consumeReservation } from "../../rate-limit/count.js";
import { resetAfterSuccess } from "../../rate-limit/limiter.js";
import { resetAfterSuccessInPostgres } from "../../rate-limit/strict-fallback.js";
import { roundTrip } from "../../redis/client.js";
import { enforce, enforceTimeoutMs } from "../../redis/enforce.js";
import type { UserRow } from "../../user/user.js";
import { issueTokenPair, type TokenPair } from "../token/token-pair.js";
import type { Device } from "./device.js";
import {
  type ConditionMet,
  insertSession,
  lockAccount,
  newSessionId,
  revokeExcessSessions,
  type revokeSessions,
  type SessionRow,
  sessionRow,
} from "./session.js";
import { actingRole, endSessionKeys, writeSessionKey } from "./session-keys.js";

export interface SignInRequest {
  /** ISO 3166-1 alpha-2. */
  country: string | undefined;
  /** Failures counted in advance, released on success. */
  reserved: Reservation;
}

/** `amr` of a password sign-in (RFC 8176). */
export const passwordAuthMethods = ["pwd"];

export function newSessionRow(
  ctx: Context,
  account: { id: string; isGuest: boolean },
  device: Device | undefined,
  { country }: Pick<SignInRequest, "country">,
  authMethods: string[],
): SessionRow {
  const { id: userId, isGuest } = account;
  return sessionRow(ctx, { id: newSessionId(), userId, isGuest, device, country, authMethods });
}

/** The condition says, for example, that the password hash is the same. Role, suspension, blocks and deletion are always checked. */
export interface SignInWrite extends ConditionMet {
  statements?: BatchItem<"pg">[];
  revocation?: ReturnType<typeof revokeSessions>;
}

/** Also revokes the oldest sessions over `sessionsMax`. Throws `service_unavailable` (safe to retry) when the account has changed. */
export async function createSession(
  ctx: Context,
  user: UserRow,
  row: SessionRow,
  client: SignInRequest,
  { condition, values, statements = [], revocation }: SignInWrite,
): Promise<TokenPair> {
  const [, { rows }, ...others] = await writeOnce(ctx, row.id, [
    lockAccount(user.id),
    insertSession(row, user.role, { condition, values }),
    ...statements,
    ...(revocation ? [revocation] : []),
    revokeExcessSessions(ctx, user.id),
  ]).catch(rethrowAsUnavailable);
  const [inserted] = rows;
  const { rows: displaced } = others.at(-1) as { rows: { id: string }[] };
  const ended = revocation ? (others.at(-2) as { id: string }[]) : [];
  if (!inserted) throw new Error("The inserted session was not returned.");
  const isNewDevice = row.deviceId !== null && !inserted.knows_device && !inserted.is_first;
  if (isNewDevice) securityEvent(ctx, "new_device", { userId: user.id });
  for (const { id } of displaced) {
    securityEvent(ctx, "session_displaced", { userId: user.id, data: { sessionId: id } });
  }
  return finishSignIn(
    ctx,
    user,
    row,
    client,
    [...ended, ...displaced].map(({ id }) => id),
  );
}

function rethrowAsUnavailable(error: unknown): never {
  if (!lacksRequiredRow(error)) throw error;
  throw new AppError("service_unavailable", { retryAfterSeconds: 1 });
}

/** After the commit: writes and deletes session keys, releases the counted attempts, issues the tokens. Redis may be down. */
export async function finishSignIn(
  ctx: Context,
  user: UserRow,
  row: SessionRow,
  client: Pick<SignInRequest, "reserved">,
  endedIds: string[] = [],
): Promise<TokenPair> {
  const reserved = consumeReservation(client.reserved);
  const trip = roundTrip(ctx);
  const role = actingRole(user.role, row.authMethods);
  await Promise.allSettled([
    writeSessionKey(trip, { ...row, role }, ctx.now),
    enforce(
      ctx,
      () => endSessionKeys(trip, endedIds),
      (error) => sessionKeysUndeleted(ctx.correlationId, endedIds.length, error),
    ),
    resetAfterSuccess(trip, reserved),
    trip.send(endedIds.length > 0 ? { timeoutMs: enforceTimeoutMs } : {}),
  ]);
  if (reserved.countedIn === "postgres") {
    ctx.after(() => resetAfterSuccessInPostgres(ctx, reserved.counts));
  }
  recordSuccessfulAttempt(ctx, reserved, user.id);
  return issueTokenPair(ctx, user, row);
}
