import { randomUUID } from "node:crypto";
import { and, desc, eq, isNull } from "drizzle-orm";
import * as z from "zod";
import { auditRow, type OperatorAct } from "../../audit/audit.js";
import type { Context } from "../../context.js";
import { incidentNotes, incidents } from "../../db/schema/incidents.js";
import { AppError } from "../../errors.js";

export const Severity = z.enum(["P1", "P2", "P3"]);

export const Incident = z.strictObject({
  id: z.uuid(),
  title: z.string(),
  severity: Severity,
  openedAt: z.iso.datetime(),
  openedBy: z.string(),
  closedAt: z.iso.datetime().nullable(),
});
export type Incident = z.infer<typeof Incident>;

const listedMax = 50;

/** The 50 newest. */
export async function listIncidents({ db }: Context): Promise<Incident[]> {
  const rows = await db.select().from(incidents).orderBy(desc(incidents.openedAt)).limit(listedMax);
  return rows.map(presentIncident);
}

/** Throws `not_found`. */
export async function getIncident({ db }: Context, id: string): Promise<Incident> {
  const [row] = z.uuid().safeParse(id).success
    ? await db.select().from(incidents).where(eq(incidents.id, id))
    : [];
  if (!row) throw new AppError("not_found");
  return presentIncident(row);
}

export async function openIncident(
  ctx: Context,
  { title, severity }: { title: string; severity: Incident["severity"] },
  by: OperatorAct,
): Promise<string> {
  const id = randomUUID();
  const row = { id, title, severity, openedAt: ctx.now, openedBy: by.actor.id };
  await ctx.db.batch([
    ctx.db.insert(incidents).values(row),
    auditRow(ctx, { ...by, action: "incident.opened", subjectId: id }),
  ]);
  return id;
}

/** Add a note. A closed incident accepts notes too, for the review. */
export async function addIncidentNote(
  ctx: Context,
  incidentId: string,
  text: string,
  by: OperatorAct,
) {
  const note = { id: randomUUID(), incidentId, at: ctx.now, author: by.actor.id, text };
  await ctx.db.batch([
    ctx.db.insert(incidentNotes).values(note),
    auditRow(ctx, { ...by, action: "incident.noted", subjectId: incidentId }),
  ]);
}

/** Closing a closed incident only adds an audit row. */
export async function closeIncident(
  ctx: Context,
  incidentId: string,
  by: OperatorAct,
): Promise<void> {
  await ctx.db.batch([
    ctx.db
      .update(incidents)
      .set({ closedAt: ctx.now })
      .where(and(eq(incidents.id, incidentId), isNull(incidents.closedAt))),
    auditRow(ctx, { ...by, action: "incident.closed", subjectId: incidentId }),
  ]);
}

function presentIncident(row: typeof incidents.$inferSelect): Incident {
  return {
    ...row,
    openedAt: row.openedAt.toISOString(),
    closedAt: row.closedAt?.toISOString() ?? null,
  };
}
