import { inArray, ne, sql } from "drizzle-orm";
import { type AuditEntry, auditRow } from "../../audit/audit.js";
import { type Operator, requireAdmin } from "../../auth/operator/operator.js";
import type { Context } from "../../context.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { loginDelays, rateLimits } from "../../db/schema/limits.js";
import { accountLimitKeys } from "../../rate-limit/account-limit-key.js";
import { roundTrip } from "../../redis/client.js";
import { orRedisUnavailable } from "../or-redis-unavailable.js";
import {
  listRateLimitCounters,
  type RateLimitCounter,
  type RateLimitCounters,
} from "./counters.js";
import { resolveRateLimitSubject } from "./subject.js";

/**
 * Delete a subject's counters in Redis and in Postgres, as `redis-cli DEL rate:<key>` does for one of them.
 * While Redis is down, only the counters in Postgres are deleted. Safe to repeat. Throws as
 * `resolveRateLimitSubject`, `redis_unavailable` (repeat it), and `forbidden` for an operator's account unless
 * an admin asks: the login delay protects that account against password guessing.
 */
export async function clearRateLimits(
  ctx: Context,
  operator: Operator,
  of: string,
  { by, dryRun }: { by: Pick<AuditEntry, "actor" | "reason">; dryRun: boolean },
): Promise<RateLimitCounters> {
  const { values, auditedAs } = await resolveRateLimitSubject(ctx, of);
  const operatorValues = await valuesOfOperators(ctx);
  if (values.some((value) => operatorValues.has(value))) requireAdmin(ctx, operator);
  const found = await listRateLimitCounters(ctx, values);
  const { counters } = found;
  if (dryRun || counters.length === 0) return found;
  const keysIn = (store: RateLimitCounter["countedIn"]) =>
    counters.filter(({ countedIn }) => countedIn === store).map(({ key }) => key);
  const inPostgres = keysIn("postgres");
  await ctx.db.batch([
    ctx.db.delete(rateLimits).where(inArray(rateLimits.key, inPostgres)),
    ctx.db.delete(loginDelays).where(inArray(loginDelays.key, inPostgres)),
    auditRow(ctx, { ...by, action: "rate_limits.cleared", subjectId: auditedAs }),
  ]);
  const inRedis = keysIn("redis");
  if (inRedis.length > 0) await deleteKeys(inRedis);
  return found;
}

/** The counter values of operators' accounts and sessions; an account is counted by a hash, which counter names show. */
async function valuesOfOperators({ db, env }: Context): Promise<Set<string>> {
  const rows = await db
    .select({
      id: users.id,
      email: sql<string | null>`coalesce(${users.email}, ${users.claimedEmail})`,
      sessionIds: sql<string[]>`array(
        select id from ${sessions} where user_id = ${users}.id and revoked_at is null)`,
    })
    .from(users)
    .where(ne(users.role, "user"));
  return new Set(
    rows.flatMap(({ id, email, sessionIds }) => [
      id,
      ...sessionIds,
      ...(email ? accountLimitKeys(env, email) : []),
    ]),
  );
}

async function deleteKeys(keys: string[]): Promise<void> {
  const trip = roundTrip();
  await orRedisUnavailable(Promise.all([trip.command("DEL", ...keys), trip.send()]));
}
