import { sql } from "drizzle-orm";
import { auditRow, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { auditLog } from "../db/schema/security.js";
import { postgresReconnected } from "../observability/log-lines/stores.js";
import { hasPostgresPool, reconnectPostgres } from "../platform/installed.js";

/** The newest order that this process has seen; it does not follow those from before its first tick. */
let seen: number | undefined;

/**
 * Order every instance to replace its connections to Postgres, and do it here. Statements in progress end first. The others
 * find the order in the audit log with their next tick. Undefined without a pool.
 */
export async function orderReconnect(ctx: Context, by: OperatorAct): Promise<number | undefined> {
  await auditRow(ctx, { ...by, action: "db.reconnected", subjectId: "postgres" });
  seen = await newestOrder(ctx);
  return reconnect(ctx);
}

export const hasConnectionPool = hasPostgresPool;

/** Follow a new order of an operator. Each instance calls this every minute. */
export async function followReconnectOrder(ctx: Context): Promise<void> {
  if (!hasPostgresPool()) return;
  const newest = await newestOrder(ctx);
  const isNew = seen !== undefined && newest > seen;
  seen = newest;
  if (isNew) await reconnect(ctx);
}

async function reconnect({ correlationId }: Context): Promise<number | undefined> {
  const connections = await reconnectPostgres();
  if (connections !== undefined) postgresReconnected(correlationId, connections);
  return connections;
}

async function newestOrder({ db }: Context): Promise<number> {
  const { rows } = await db.execute<{ id: string }>(sql`
    select cast(coalesce(max(id), 0) as text) as id from ${auditLog} where action = 'db.reconnected'`);
  return Number(rows[0]?.id ?? 0);
}
