import { copyGateToRedis } from "../../admission/mirror.js";
import { auditRow, type OperatorAct } from "../../audit/audit.js";
import { sweepSessionKeys } from "../../auth/session/sweep-session-keys.js";
import type { Context } from "../../context.js";
import { roundTrip } from "../../redis/client.js";
import { clearIgnoredRevokeAll } from "../../redis/revoke-all.js";
import { drainEvents } from "../../telemetry/drain.js";

/**
 * Do what the tick does every minute: copy flags, blocks and the revoke-all cutoff to Redis, delete the keys of
 * recently revoked sessions, drain events. Signs no one in or out. Safe to repeat; rejects while a store is down.
 */
export async function rebuildRedis(
  ctx: Context,
  by: OperatorAct,
): Promise<{ blocks: number; endedSessions: number }> {
  await auditRow(ctx, { ...by, action: "redis.rebuilt", subjectId: "redis" });
  const { blocks } = await copyGateToRedis(ctx);
  const trip = roundTrip(ctx);
  await Promise.all([clearIgnoredRevokeAll(trip), trip.send()]);
  const endedSessions = await sweepSessionKeys(ctx);
  await drainEvents(ctx, { budgetMs: 3000 });
  return { blocks, endedSessions };
}
