import { copyGateToRedis } from "../../admission/mirror.js";
import { auditRow, type OperatorAct } from "../../audit/audit.js";
import { sweepSessionKeys } from "../../auth/session/sweep-session-keys.js";
import type { Context } from "../../context.js";
import { roundTrip } from "../../redis/client.js";
import { clearIgnoredRevokeAll } from "../../redis/revoke-all.js";
import { drainEvents } from "../../telemetry/drain.js";
import { orRedisUnavailable } from "../or-redis-unavailable.js";

/**
 * Do what the tick does every minute: copy flags, blocks and the revoke-all cutoff to Redis, delete the keys of
 * recently revoked sessions, drain events. Signs no one in or out. Safe to repeat. The audit row is
 * written when all is done. Throws `redis_unavailable`.
 */
export async function rebuildRedis(
  ctx: Context,
  by: OperatorAct,
): Promise<{ blocks: number; endedSessions: number }> {
  const rebuilt = await orRedisUnavailable(rebuild(ctx));
  await auditRow(ctx, { ...by, action: "redis.rebuilt", subjectId: "redis" });
  return rebuilt;
}

async function rebuild(ctx: Context): Promise<{ blocks: number; endedSessions: number }> {
  const { blocks } = await copyGateToRedis(ctx);
  const trip = roundTrip(ctx);
  await Promise.all([clearIgnoredRevokeAll(trip), trip.send()]);
  const endedSessions = await sweepSessionKeys(ctx);
  await drainEvents(ctx, { budgetMs: 3000 });
  return { blocks, endedSessions };
}
