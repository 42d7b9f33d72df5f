import { desc, eq } from "drizzle-orm";
import type { Context } from "../context.js";
import { deploymentEvents } from "../db/schema/deployments.js";
import { type DeploymentEvent, recordMissing, recordSwitch } from "./record.js";
import { getProject, type Listed, listDeployments, type Project } from "./vercel-api.js";
import { commitOf, switchEvent } from "./vercel-event.js";

const dayMs = 86_400_000;
/** Longer than a weekend without a cron. */
const lookBackMs = 14 * dayMs;

/** Find what the webhook missed: deployments of the last 14 days, and which one is live. Safe to repeat, also concurrently. */
export async function reconcileDeployments(ctx: Context) {
  const { token, projectId } = ctx.env.vercel;
  if (!token || !projectId) {
    return { skipped: `${token ? "VERCEL_PROJECT_ID" : "VERCEL_TOKEN"} is not set` };
  }
  const listed = await listDeployments(ctx, new Date(ctx.now.getTime() - lookBackMs));
  const added = await recordMissing(ctx, listed.flatMap(eventsOf));
  return {
    listed: listed.length,
    added,
    switched: await reconcileLive(ctx, await getProject(ctx)),
  };
}

function eventsOf(listed: Listed): DeploymentEvent[] {
  const { uid, url, created, buildingAt, ready, aliasAssigned, readySubstate } = listed;
  const deployment = { id: uid, url: url ?? null, ...commitOf(listed.meta) };
  const actor = listed.creator?.uid ?? null;
  const event = (kind: DeploymentEvent["kind"], at: number): DeploymentEvent => ({
    deployment,
    kind,
    at: new Date(at),
    actor,
  });
  const state = listed.readyState ?? listed.state;
  // The API does not say when a build failed.
  const endedAt = ready ?? buildingAt ?? created;
  return [
    event("requested", created),
    ...(state === "READY" ? [event("ready", endedAt)] : []),
    ...(state === "ERROR" ? [event("failed", endedAt)] : []),
    ...(state === "CANCELED" ? [event("cancelled", endedAt)] : []),
    ...(readySubstate === "PROMOTED" && typeof aliasAssigned === "number"
      ? [event("live", aliasAssigned)]
      : []),
  ];
}

/** Record a lost promotion or rollback: Vercel knows which deployment is live. */
async function reconcileLive(
  ctx: Context,
  { targets, lastAliasRequest }: Project,
): Promise<boolean> {
  const live = targets?.production?.id;
  if (!live) return false;
  const [latest] = await ctx.db
    .select()
    .from(deploymentEvents)
    .where(eq(deploymentEvents.kind, "live"))
    .orderBy(desc(deploymentEvents.at), desc(deploymentEvents.deploymentId))
    .limit(1);
  // An event that is newer than this run is newer than Vercel's answer.
  if (latest && (latest.deploymentId === live || latest.at > ctx.now)) return false;
  const isRequested =
    lastAliasRequest?.toDeploymentId === live && lastAliasRequest.jobStatus === "succeeded";
  const requestedMs = isRequested ? lastAliasRequest.requestedAt : ctx.now.getTime();
  // After what is known, or it would change nothing.
  const at = new Date(Math.max(requestedMs, (latest?.at.getTime() ?? 0) + 1));
  const isRollback = isRequested && lastAliasRequest.type === "rollback";
  await recordSwitch(ctx, [
    switchEvent(live, "live", at),
    ...(isRollback ? [switchEvent(lastAliasRequest.fromDeploymentId, "rolled_back", at)] : []),
  ]);
  return true;
}
