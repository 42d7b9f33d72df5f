import { desc, inArray, lte } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { deploymentEvents, deployments } from "../db/schema/deployments.js";

const time = z.iso.datetime().nullable();

export const Deployment = z
  .strictObject({
    id: z.string(),
    platform: z.enum(["vercel", "railway", "self-hosted"]),
    state: z.enum([
      ...["requested", "ready", "failed", "cancelled"],
      ...["live", "replaced", "rolled_back"],
    ] as const),
    sha: z.string().nullable(),
    version: z.string().nullable(),
    url: z.string().nullable(),
    requestedAt: time,
    readyAt: time,
    /** When it became live, the last time. */
    liveAt: time,
    /** When another one replaced it, by a newer deployment or by a rollback. */
    endedAt: time,
    failedAt: time,
    cancelledAt: time,
    firstServedAt: time,
    lastServedAt: time,
    /** The platform's ID of the user who requested it, and of the one who rolled it back. */
    actor: z.string().nullable(),
    rolledBackBy: z.string().nullable(),
    /** The first line of the commit message. */
    reason: z.string().nullable(),
  })
  .meta({ id: "Deployment" });
export type Deployment = z.infer<typeof Deployment>;

export type DeploymentRow = typeof deployments.$inferSelect;
type EventRow = typeof deploymentEvents.$inferSelect;

/** One deployment took over from another. */
interface Switch {
  at: Date;
  to: string;
  from: string | undefined;
  isRollback: boolean;
  actor: string | null;
}

/** About 100 deployments. */
const eventsMax = 500;

export interface DeploymentLog {
  /** The newest first. */
  deployments: Deployment[];
  rows: ReadonlyMap<string, DeploymentRow>;
  /** The oldest first. */
  switches: Switch[];
  failures: EventRow[];
}

/** The newest part of the log, or what was its newest part at `until`. */
export async function readDeploymentLog({ db }: Context, until?: Date): Promise<DeploymentLog> {
  const newest = db
    .select()
    .from(deploymentEvents)
    .where(until && lte(deploymentEvents.at, until))
    .orderBy(desc(deploymentEvents.at))
    .limit(eventsMax);
  const events = await newest;
  const ids = [...new Set(events.map(({ deploymentId }) => deploymentId))];
  const rows =
    ids.length === 0 ? [] : await db.select().from(deployments).where(inArray(deployments.id, ids));
  return deploymentLog(rows, events);
}

/**
 * The states follow from the moments alone, so events may be recorded in any order. The deployment that became live last is
 * live. One that gave way to an older deployment was rolled back, one that gave way to a newer one was replaced.
 */
function deploymentLog(rows: readonly DeploymentRow[], events: readonly EventRow[]): DeploymentLog {
  const ordered = [...events].sort(
    (one, other) => +one.at - +other.at || (one.deploymentId < other.deploymentId ? -1 : 1),
  );
  const born = new Map<string, Date>();
  for (const { deploymentId, at } of ordered) {
    if (!born.has(deploymentId)) born.set(deploymentId, at);
  }
  const switches = switchesOf(ordered, born);
  const known = new Map(rows.map((row) => [row.id, row]));
  const described = rows.map((row) =>
    describe(
      row,
      ordered.filter(({ deploymentId }) => deploymentId === row.id),
      switches,
    ),
  );
  const age = ({ id }: Deployment) => +(born.get(id) ?? 0);
  return {
    deployments: described.sort(
      (one, other) => age(other) - age(one) || (one.id < other.id ? 1 : -1),
    ),
    rows: known,
    switches,
    failures: ordered.filter(({ kind }) => kind === "failed"),
  };
}

function switchesOf(ordered: readonly EventRow[], born: ReadonlyMap<string, Date>): Switch[] {
  const switches: Switch[] = [];
  for (const { deploymentId: to, kind, at, actor } of ordered) {
    const last = switches.at(-1);
    if (kind !== "live" || to === last?.to) continue;
    const isOlder = last !== undefined && +(born.get(to) ?? 0) < +(born.get(last.to) ?? 0);
    switches.push({ at, to, from: last?.to, isRollback: isOlder, actor });
  }
  // Two sources give slightly different moments, so any one of the time in which it was not live again counts.
  for (const { deploymentId, kind, at } of ordered) {
    if (kind !== "rolled_back") continue;
    const start = switches.findLastIndex((each) => each.to === deploymentId && each.at <= at);
    const next = start < 0 ? undefined : switches[start + 1];
    if (next) next.isRollback = true;
  }
  return switches;
}

function describe(
  row: DeploymentRow,
  events: readonly EventRow[],
  switches: readonly Switch[],
): Deployment {
  const momentsOf = (kind: EventRow["kind"]) =>
    events.flatMap((event) => (event.kind === kind ? [event.at.toISOString()] : []));
  const last = switches.findLastIndex(({ to }) => to === row.id);
  const start = switches[last];
  const end = start && switches[last + 1];
  const moments = {
    requestedAt: momentsOf("requested").at(0) ?? null,
    readyAt: momentsOf("ready").at(0) ?? null,
    liveAt: start?.at.toISOString() ?? null,
    endedAt: end?.at.toISOString() ?? null,
    // The webhook's is exact, and later than the estimate of the reconcile.
    failedAt: momentsOf("failed").at(-1) ?? null,
    cancelledAt: momentsOf("cancelled").at(-1) ?? null,
  };
  const requests = events.filter(({ kind }) => kind === "requested");
  return {
    id: row.id,
    platform: row.platform,
    state: stateOf(moments, end),
    sha: row.sha,
    version: row.version,
    url: row.url,
    ...moments,
    firstServedAt: row.firstServedAt?.toISOString() ?? null,
    lastServedAt: row.lastServedAt?.toISOString() ?? null,
    actor: requests.find(({ actor }) => actor !== null)?.actor ?? null,
    rolledBackBy: end?.isRollback ? end.actor : null,
    reason: row.reason,
  };
}

function stateOf(
  moments: Pick<Deployment, "readyAt" | "liveAt" | "failedAt" | "cancelledAt">,
  end: Switch | undefined,
): Deployment["state"] {
  if (moments.liveAt) return end ? (end.isRollback ? "rolled_back" : "replaced") : "live";
  if (moments.failedAt) return "failed";
  if (moments.cancelledAt) return "cancelled";
  return moments.readyAt ? "ready" : "requested";
}

/** For people: `3f2a…` of a SHA, and the version if known. */
export function releaseName({ id, sha, version }: Pick<DeploymentRow, "id" | "sha" | "version">) {
  const commit = sha ? shortSha(sha) : id;
  return version ? `${version} (${commit})` : commit;
}

/** Twelve characters, as in the tags of images; keeps the mark of uncommitted changes. */
export function shortSha(sha: string): string {
  const isDirty = sha.endsWith("-dirty");
  return `${sha.replace(/-dirty$/, "").slice(0, 12)}${isDirty ? "-dirty" : ""}`;
}
