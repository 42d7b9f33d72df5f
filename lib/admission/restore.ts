import { sql } from "drizzle-orm";
import { auditRow, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { securitySettings } from "../db/schema/accounts.js";
import { restoredErasures } from "../db/schema/privacy.js";
import { roundTrip } from "../redis/client.js";
import { readGate } from "../redis/gate.js";
import { readRecorded } from "./recorded-rules.js";

/** From now on all routes of the app answer `restore_in_progress`. Audited. Copy it to Redis: the database will forget it. */
export async function recordRestoreBegin(ctx: Context, by: OperatorAct): Promise<void> {
  await ctx.db.batch([
    ctx.db.update(securitySettings).set({ restoreBegunAt: ctx.now }),
    auditRow(ctx, { ...by, action: "restore.begun", subjectId: "postgres" }),
  ]);
}

/** The service is open again, when Redis has it, too. Audited. */
export async function recordRestoreFinish(ctx: Context, by: OperatorAct): Promise<void> {
  const { restoreBegunAt } = securitySettings;
  await ctx.db.batch([
    ctx.db.update(securitySettings).set({
      restoreFinishedAt: sql`greatest(cast(${ctx.now.toISOString()} as timestamptz), ${restoreBegunAt})`,
      erasuresHandedOverAt: null,
    }),
    ctx.db.delete(restoredErasures),
    auditRow(ctx, { ...by, action: "restore.finished", subjectId: "postgres" }),
  ]);
}

/** As either store says. Rejects when one is down. */
export async function isRestoring(ctx: Context): Promise<boolean> {
  const trip = roundTrip(ctx);
  const gate = readGate(trip);
  const [{ restore }] = await Promise.all([readRecorded(ctx), trip.send()]);
  return gate().isRestoring || restore.begunMs > restore.finishedMs;
}
