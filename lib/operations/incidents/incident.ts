import { randomUUID } from "node:crypto";
import { and, desc, eq, isNull, sql } from "drizzle-orm";
import * as z from "zod";
import { auditRow, type OperatorAct } from "../../audit/audit.js";
import type { Context } from "../../context.js";
import { incidentNotes, incidents } from "../../db/schema/incidents.js";
import { timestamp } from "../../db/timestamp.js";
import { AppError } from "../../errors.js";
import { buildPage, type PageRequest } from "../../page.js";
import { EpochMs } from "../../timestamps.js";
import { actorNames } from "../actor-names.js";

export const Severity = z.enum(["P1", "P2", "P3"]);

export const Incident = z.strictObject({
  id: z.uuid(),
  title: z.string(),
  severity: Severity,
  openedAt: z.iso.datetime(),
  openedBy: z.string(),
  /** The name and masked e-mail address of that operator. */
  openedByName: z.string(),
  closedAt: z.iso.datetime().nullable(),
});
export type Incident = z.infer<typeof Incident>;

/** The last row of a page: `openedAt` in ms and the ID. */
export const IncidentPosition = z.tuple([EpochMs, z.uuid()]);

/** Newest first. */
export async function listIncidents(
  ctx: Context,
  request: PageRequest<z.infer<typeof IncidentPosition>>,
) {
  const { openedAt, id } = incidents;
  const { cursor } = request;
  const rows = await ctx.db
    .select()
    .from(incidents)
    .where(cursor && sql`(${openedAt}, ${id}) < (${timestamp(new Date(cursor[0]))}, ${cursor[1]})`)
    .orderBy(desc(openedAt), desc(id))
    .limit(request.limit + 1);
  const items = await present(ctx, rows);
  return buildPage(
    items,
    request,
    (incident) => incident,
    (incident) => [Date.parse(incident.openedAt), incident.id],
  );
}

/** Throws `not_found`. */
export async function getIncident(ctx: Context, id: string): Promise<Incident> {
  const isId = z.uuid().safeParse(id).success;
  const rows = isId ? await ctx.db.select().from(incidents).where(eq(incidents.id, id)) : [];
  const [incident] = await present(ctx, rows);
  if (!incident) throw new AppError("not_found");
  return incident;
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

async function present(ctx: Context, rows: (typeof incidents.$inferSelect)[]): Promise<Incident[]> {
  if (rows.length === 0) return [];
  const nameOf = await actorNames(
    ctx,
    rows.map(({ openedBy }) => openedBy),
  );
  return rows.map((row) => ({
    ...row,
    openedAt: row.openedAt.toISOString(),
    openedByName: nameOf(row.openedBy),
    closedAt: row.closedAt?.toISOString() ?? null,
  }));
}
