import { lt, sql } from "drizzle-orm";
import { auditRow, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { restoreBegunNow } from "../db/restore-begun.js";
import { users } from "../db/schema/accounts.js";
import { securitySettings } from "../db/schema/gate.js";
import { restoredErasures } from "../db/schema/privacy.js";
import { roundTrip } from "../redis/client.js";
import { readGate } from "../redis/gate.js";
import { readRecorded } from "./recorded-rules.js";

/** From now on all routes of the app answer `restore_in_progress`. Audited. Copy it to Redis: the database will forget it. */
export async function recordRestoreBegin(ctx: Context, by: OperatorAct): Promise<void> {
  await ctx.db.batch([
    ctx.db.update(securitySettings).set({ restoreBegunAt: sql.raw(restoreBegunNow) }),
    auditRow(ctx, { ...by, action: "restore.begun", subjectId: "postgres" }),
  ]);
}

/** How long a deletion that was due in the restored database can still be cancelled. */
export const postponedDays = 3;

/**
 * The service is open again, when Redis has it, too. Audited. Deletions that are due within three days are due then, so
 * that a cancellation after the backup can be repeated; returns their accounts.
 */
export async function recordRestoreFinish(ctx: Context, by: OperatorAct): Promise<string[]> {
  const { restoreBegunAt } = securitySettings;
  const dueAt = new Date(ctx.now.getTime() + postponedDays * 86_400_000);
  const [postponed] = await ctx.db.batch([
    ctx.db
      .update(users)
      .set({ purgeAt: dueAt })
      .where(lt(users.purgeAt, dueAt))
      .returning({ id: users.id }),
    ctx.db.update(securitySettings).set({
      restoreFinishedAt: sql`greatest(cast(${ctx.now.toISOString()} as timestamptz), ${restoreBegunAt})`,
      erasuresHandedOverAt: null,
    }),
    ctx.db.delete(restoredErasures),
    auditRow(ctx, { ...by, action: "restore.finished", subjectId: "postgres" }),
  ]);
  return postponed.map(({ id }) => id);
}

/** As either store says. Rejects when one is down. */
export async function isRestoring(ctx: Context): Promise<boolean> {
  const trip = roundTrip(ctx);
  const gate = readGate(trip);
  const [{ restore }] = await Promise.all([readRecorded(ctx), trip.send()]);
  return gate().isRestoring || restore.begunMs > restore.finishedMs;
}
