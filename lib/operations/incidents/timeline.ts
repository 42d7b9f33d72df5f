import { and, desc, eq, gte, inArray, lt, lte, not, type SQL } from "drizzle-orm";
import * as z from "zod";
import { findBlockTargets } from "../../admission/block.js";
import type { Context } from "../../context.js";
import { alertTransitions } from "../../db/schema/alerts.js";
import { incidentNotes } from "../../db/schema/incidents.js";
import { auditLog } from "../../db/schema/security.js";
import {
  type DeploymentLog,
  readDeploymentLog,
  releaseName,
} from "../../deployments/deployment-log.js";
import { actorNames } from "../actor-names.js";
import { getIncident, Incident } from "./incident.js";
import { postMortem } from "./post-mortem.js";
import { TimelineEntry } from "./timeline-entry.js";

export const IncidentDetails = z.strictObject({
  incident: Incident,
  timeline: z.array(TimelineEntry),
  /** Of these kinds the oldest entries are left out. Missing in the replies of an older release. */
  cut: z.array(z.enum(["alert", "audit", "note"])).optional(),
  /** Markdown. */
  postMortem: z.string(),
});
export type IncidentDetails = z.infer<typeof IncidentDetails>;

/** Of each kind, the newest. */
const entriesMax = 500;
/** An alert that began earlier is not the beginning of this incident. */
const beforeMsMax = 6 * 3_600_000;

/**
 * It starts when the first of the alerts began that were firing when it was opened, at most 6 h before: what was live and firing
 * then, alerts, deployments and operator actions until it was closed, and all notes; oldest first. Throws `not_found`.
 */
export async function getIncidentDetails(ctx: Context, id: string): Promise<IncidentDetails> {
  const incident = await getIncident(ctx, id);
  const { db } = ctx;
  const openedAt = new Date(incident.openedAt);
  const until = incident.closedAt ? new Date(incident.closedAt) : ctx.now;
  const firing = (await lastTransitions(ctx, lt(alertTransitions.minute, openedAt))).filter(
    ({ toState }) => toState === "firing",
  );
  const begun = firing.filter(({ minute }) => +minute > +openedAt - beforeMsMax);
  const from = new Date(Math.min(+openedAt, ...begun.map(({ minute }) => +minute)));
  const isBefore = lt(alertTransitions.minute, from);
  const [transitions, changes, notes] = await db.batch([
    db
      .select()
      .from(alertTransitions)
      .where(and(not(isBefore), lte(alertTransitions.minute, until)))
      .orderBy(desc(alertTransitions.minute))
      .limit(entriesMax + 1),
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
      .orderBy(desc(auditLog.at))
      .limit(entriesMax + 1),
    db
      .select()
      .from(incidentNotes)
      .where(eq(incidentNotes.incidentId, id))
      .orderBy(desc(incidentNotes.at))
      .limit(entriesMax + 1),
  ]);
  const read = { alert: transitions, audit: changes, note: notes };
  const cut = (["alert", "audit", "note"] as const).filter(
    (kind) => read[kind].splice(entriesMax).length > 0,
  );
  const log = await readDeploymentLog(ctx, until);
  const actors = [
    ...changes.map(({ actorId }) => actorId ?? ""),
    ...notes.map(({ author }) => author),
  ];
  const blockIds = changes.flatMap(({ action, subjectId }) =>
    action.startsWith("block.") && subjectId !== null ? [subjectId] : [],
  );
  const [nameOf, blockTargets] = await Promise.all([
    actorNames(ctx, actors),
    findBlockTargets(ctx, blockIds),
  ]);
  const subjectOf = (action: string, subjectId: string) =>
    (action.startsWith("block.") && blockTargets.get(subjectId)) || subjectId;
  const older = +from < +openedAt ? await lastTransitions(ctx, isBefore) : firing;
  const timeline: TimelineEntry[] = [
    ...older
      .filter(({ toState }) => toState === "firing")
      .map((transition) => {
        const entry = alertEntry(transition);
        // Alerts know only the minute, which can be the one in which the incident was opened.
        const isOlder = from.getTime() - transition.minute.getTime() >= 60_000;
        const what = isOlder ? `${entry.what} (since ${entry.at})` : entry.what;
        return { ...entry, at: from.toISOString(), what };
      }),
    ...transitions.toReversed().map(alertEntry),
    ...deploymentEntries(log, from),
    ...changes.toReversed().map(({ at, actorId, action, subjectId, reason }) => ({
      at: at.toISOString(),
      kind: "audit" as const,
      who: actorId && nameOf(actorId),
      actorId,
      what: `${action} ${subjectOf(action, subjectId ?? "")}${reason ? `: ${reason}` : ""}`.trim(),
    })),
    ...notes.toReversed().map(({ at, author, text }) => ({
      at: at.toISOString(),
      kind: "note" as const,
      who: nameOf(author),
      actorId: author,
      what: text,
    })),
  ];
  timeline.sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
  return { incident, timeline, cut, postMortem: postMortem(incident, timeline, { from, cut }) };
}

/** Of each alert, the last one of those. */
function lastTransitions({ db }: Context, which: SQL) {
  return db
    .selectDistinctOn([alertTransitions.key])
    .from(alertTransitions)
    .where(which)
    .orderBy(alertTransitions.key, desc(alertTransitions.minute));
}

function alertEntry({
  minute,
  rule,
  label,
  toState,
  detail,
}: typeof alertTransitions.$inferSelect) {
  // The values of an alert that still fires have changed since.
  const when = toState === "firing" ? "; when it fired" : "";
  return {
    at: minute.toISOString(),
    kind: "alert" as const,
    who: null,
    actorId: null,
    what: `${rule}${label && ` (${label})`} is ${toState}${when}: ${detail}`,
  };
}

/** The release that was live at `from`, and what was deployed after it. */
function deploymentEntries(
  { rows, switches, failures }: DeploymentLog,
  from: Date,
): TimelineEntry[] {
  const nameOf = (id: string) => {
    const row = rows.get(id) ?? { id, sha: null, version: null };
    return `Release ${releaseName(row)}`;
  };
  const before = switches.findLast(({ at }) => at < from);
  const entry = (at: Date, who: string | null, what: string): TimelineEntry => ({
    at: at.toISOString(),
    kind: "deployment",
    who,
    actorId: null,
    what,
  });
  return [
    ...(before
      ? [entry(from, null, `${nameOf(before.to)} is live (since ${before.at.toISOString()})`)]
      : []),
    ...switches
      .filter(({ at }) => at >= from)
      .map(({ at, to, from: replaced, isRollback, actor }) => {
        const reason = rows.get(to)?.reason;
        const after = isRollback && replaced ? `, ${nameOf(replaced)} was rolled back` : "";
        return entry(at, actor, `${nameOf(to)} is live${after}${reason ? `: ${reason}` : ""}`);
      }),
    ...failures
      .filter(({ at }) => at >= from)
      .map(({ at, deploymentId, actor }) =>
        entry(at, actor, `The deployment of ${nameOf(deploymentId).toLowerCase()} failed`),
      ),
  ];
}
