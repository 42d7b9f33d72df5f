import { and, eq, gt, isNotNull, sql } from "drizzle-orm";
import { securityEvent } from "../../audit/security-events.js";
import type { Context } from "../../context.js";
import { sessions } from "../../db/schema/accounts.js";
import { securitySettings } from "../../db/schema/gate.js";
import { sessionKeysUndeleted } from "../../observability/log-lines/sessions.js";
import { roundTrip } from "../../redis/client.js";
import { enforce, enforceTimeoutMs } from "../../redis/enforce.js";
import { raiseRevokeAll, readRevokeAll } from "../../redis/revoke-all.js";
import { endSessionKeys } from "./session-keys.js";

const marginSeconds = 120;
const sessionsPerTrip = 500;

/** Deletes the keys of recently revoked sessions (returns how many), copies the later `revokeAllBefore` to both stores. Rejects when one is down. */
export async function sweepSessionKeys(ctx: Context): Promise<number> {
  const count = await deleteRecentlyRevokedKeys(ctx);
  await reconcileRevokeAll(ctx);
  return count;
}

/** Deletes the keys of one account's recently revoked sessions. Never rejects: a failure is repeated in the background. */
export async function enforceRevocationsOf(ctx: Context, userId: string): Promise<void> {
  await enforce(
    ctx,
    () => deleteRecentlyRevokedKeys(ctx, userId),
    (error) => sessionKeysUndeleted(ctx.correlationId, undefined, error),
  );
}

async function deleteRecentlyRevokedKeys(ctx: Context, userId?: string): Promise<number> {
  const lifeMs = (ctx.env.jwt.accessTtlSeconds + marginSeconds) * 1000;
  const since = new Date(ctx.now.getTime() - lifeMs);
  const revoked = await ctx.db
    .select({ id: sessions.id })
    .from(sessions)
    .where(
      and(
        isNotNull(sessions.revokedAt),
        gt(sessions.revokedAt, since),
        userId === undefined ? undefined : eq(sessions.userId, userId),
      ),
    );
  for (let from = 0; from < revoked.length; from += sessionsPerTrip) {
    const ids = revoked.slice(from, from + sessionsPerTrip).map(({ id }) => id);
    const trip = roundTrip(ctx);
    await Promise.all([endSessionKeys(trip, ids), trip.send({ timeoutMs: enforceTimeoutMs })]);
  }
  return revoked.length;
}

/** The later timestamp wins in both stores; an implausible one in Redis is replaced. */
async function reconcileRevokeAll(ctx: Context): Promise<void> {
  const trip = roundTrip(ctx);
  const [{ value, problem }] = await Promise.all([readRevokeAll(trip), trip.send()]);
  const inRedis = value === null || problem !== null ? 0 : Number(value);
  if (problem !== null)
    securityEvent(ctx, "revoke_all_ignored", { data: { reason: `${value}: ${problem}` } });
  const before = securitySettings.revokeAllBefore;
  const [settings] = await ctx.db
    .update(securitySettings)
    .set({ revokeAllBefore: sql`greatest(${before}, to_timestamp(${inRedis / 1000}))` })
    .returning();
  const reconciledMs = settings?.revokeAllBefore.getTime() ?? 0;
  if (value !== String(reconciledMs)) await raiseInRedis(ctx, reconciledMs);
}

async function raiseInRedis(ctx: Context, ms: number): Promise<void> {
  const trip = roundTrip(ctx);
  await Promise.all([raiseRevokeAll(trip, ms), trip.send({ timeoutMs: enforceTimeoutMs })]);
}
