import { and, gt, isNotNull, sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { securitySettings, sessions } from "../../db/schema/accounts.js";
import { roundTrip } from "../../redis/client.js";
import { readGate, writeGate } from "../../redis/gate.js";
import { endSessionKeys } from "./session-keys.js";

const marginSeconds = 120;
const sessionsPerTrip = 500;

/**
 * Make Redis forget what has ended: delete again the keys of the sessions that were revoked within the
 * life of an access token. It repeats deletes that failed, and undoes the return of an older copy of
 * Redis. Keys of older revocations are harmless, for a refresh is decided by the record. Resolves
 * to how many sessions that were; rejects when a store is away. Running it twice changes nothing.
 */
export async function sweepSessionKeys(ctx: Context): Promise<number> {
  const lifeMs = (ctx.env.jwt.accessTtlSeconds + marginSeconds) * 1000;
  const since = new Date(ctx.now.getTime() - lifeMs);
  const revoked = await ctx.db
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(isNotNull(sessions.revokedAt), gt(sessions.revokedAt, since)));
  for (let from = 0; from < revoked.length; from += sessionsPerTrip) {
    const ids = revoked.slice(from, from + sessionsPerTrip).map(({ id }) => id);
    const trip = roundTrip(ctx);
    await Promise.all([endSessionKeys(trip, ids), trip.send()]);
  }
  await agreeOnRevokeAll(ctx);
  return revoked.length;
}

/** The later of the two moments counts, so that `HSET gate revokeAllBefore <ms>` by hand stays. */
async function agreeOnRevokeAll(ctx: Context): Promise<void> {
  const trip = roundTrip(ctx);
  const [{ revokeAllBefore: inRedis }] = await Promise.all([readGate(trip), trip.send()]);
  const before = securitySettings.revokeAllBefore;
  const [settings] = await ctx.db
    .update(securitySettings)
    .set({ revokeAllBefore: sql`greatest(${before}, to_timestamp(${(inRedis ?? 0) / 1000}))` })
    .returning();
  const agreed = settings?.revokeAllBefore.getTime() ?? 0;
  if (inRedis === null || agreed > inRedis) await writeGate("revokeAllBefore", agreed, ctx);
}
