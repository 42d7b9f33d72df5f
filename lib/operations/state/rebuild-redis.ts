import { mirrorGate } from "../../admission/mirror.js";
import { auditRow, type OperatorAct } from "../../audit/audit.js";
import { sweepSessionKeys } from "../../auth/session/sweep.js";
import type { Context } from "../../context.js";
import { roundTrip } from "../../redis/client.js";
import { forgetIgnored } from "../../redis/revoke-all.js";
import { drainEvents } from "../../telemetry/drain.js";

/**
 * Write into Redis at once what each minute's tick writes: the flags and blocks, the moment that ends all
 * sessions, no key of a session that has ended, the moment of the last drain. Keys of live sessions
 * return with their next request (docs/decisions/004), so nothing here can sign anybody in or out. Safe
 * to repeat; rejects while one of the stores is away.
 */
export async function rebuildRedis(
  ctx: Context,
  by: OperatorAct,
): Promise<{ blocks: number; endedSessions: number }> {
  await auditRow(ctx, { ...by, action: "redis.rebuilt", subjectId: "redis" });
  const { blocks } = await mirrorGate(ctx);
  const trip = roundTrip(ctx);
  await Promise.all([forgetIgnored(trip), trip.send()]);
  const endedSessions = await sweepSessionKeys(ctx);
  await drainEvents(ctx, { budgetMs: 3000 });
  return { blocks, endedSessions };
}
