import { and, asc, eq, gte, inArray, lte, not } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../../context.js";
import { alertTransitions } from "../../db/schema/alerts.js";
import { incidentNotes } from "../../db/schema/incidents.js";
import { auditLog } from "../../db/schema/security.js";
import { getIncident, Incident } from "./incident.js";
import { postMortem } from "./post-mortem.js";
import { TimelineEntry } from "./timeline-entry.js";

export const IncidentDetails = z.strictObject({
  incident: Incident,
  timeline: z.array(TimelineEntry),
  /** Markdown. */
  postMortem: z.string(),
});
export type IncidentDetails = z.infer<typeof IncidentDetails>;

/** Of each kind, the oldest. */
const entriesMax = 500;
/** The cause usually starts before the incident is opened. */
const beforeMs = 30 * 60_000;

/** Alerts and operator actions from 30 minutes before it was opened until it was closed, and all notes; oldest first. Throws `not_found`. */
export async function getIncidentDetails(ctx: Context, id: string): Promise<IncidentDetails> {
  const incident = await getIncident(ctx, id);
  const { db } = ctx;
  const from = new Date(Date.parse(incident.openedAt) - beforeMs);
  const until = incident.closedAt ? new Date(incident.closedAt) : ctx.now;
  const [transitions, changes, notes] = await db.batch([
    db
      .select()
      .from(alertTransitions)
      .where(and(gte(alertTransitions.minute, from), lte(alertTransitions.minute, until)))
      .orderBy(asc(alertTransitions.minute))
      .limit(entriesMax),
    db
      .select()
      .from(auditLog)
      .where(
        and(
          gte(auditLog.at, from),
          lte(auditLog.at, until),
          eq(auditLog.actorKind, "operator"),
          // The note itself is already in the timeline.
          not(inArray(auditLog.action, ["incident.noted"])),
        ),
      )
      .orderBy(asc(auditLog.at))
      .limit(entriesMax),
    db
      .select()
      .from(incidentNotes)
      .where(eq(incidentNotes.incidentId, id))
      .orderBy(asc(incidentNotes.at))
      .limit(entriesMax),
  ]);
  const timeline: TimelineEntry[] = [
    ...transitions.map(({ minute, rule, label, toState, detail }) => ({
      at: minute.toISOString(),
      kind: "alert" as const,
      who: null,
      what: `${rule}${label && ` (${label})`} is ${toState}: ${detail}`,
    })),
    ...changes.map(({ at, actorId, action, subjectId, reason }) => ({
      at: at.toISOString(),
      kind: "audit" as const,
      who: actorId,
      what: `${action} ${subjectId ?? ""}${reason ? `: ${reason}` : ""}`.trim(),
    })),
    ...notes.map(({ at, author, text }) => ({
      at: at.toISOString(),
      kind: "note" as const,
      who: author,
      what: text,
    })),
  ];
  timeline.sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
  return { incident, timeline, postMortem: postMortem(incident, timeline) };
}
