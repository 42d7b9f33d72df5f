import { sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { violatesUnique } from "../db/failures.js";
import { deploymentEvents, deployments } from "../db/schema/deployments.js";
import { webhookEvents } from "../db/schema/webhooks.js";
import { timestamp } from "../db/timestamp.js";
import { redactText } from "../observability/redact.js";

type Kind = (typeof deploymentEvents.$inferSelect)["kind"];

/** Something that happened to a deployment of Vercel. */
export interface DeploymentEvent {
  deployment: { id: string; sha: string | null; url: string | null; reason: string | null };
  kind: Kind;
  at: Date;
  actor: string | null;
}

const reasonLengthMax = 200;

/** The first line of a commit message, without e-mail addresses and secrets. */
export function reasonFrom(message: string | undefined): string | null {
  const [line = ""] = (message ?? "").trim().split(/\r?\n/);
  return redactText(line).slice(0, reasonLengthMax) || null;
}

/** Add the events of a webhook delivery, once per delivery ID. Any order of deliveries leads to the same rows. */
export async function recordDelivery(
  ctx: Context,
  deliveryId: string,
  events: readonly DeploymentEvent[],
): Promise<void> {
  const { db, now } = ctx;
  try {
    await db.batch([
      db.insert(webhookEvents).values({ source: "vercel", id: deliveryId, receivedAt: now }),
      ...additions(ctx, events, "webhook"),
    ]);
  } catch (error) {
    if (violatesUnique(error, "webhook_events_pkey")) return;
    throw error;
  }
}

/** Add a change of the live deployment that no webhook reported. Safe to repeat. */
export async function recordSwitch(
  ctx: Context,
  events: readonly DeploymentEvent[],
): Promise<void> {
  await ctx.db.batch(additions(ctx, events, "reconcile"));
}

function additions(
  { db }: Context,
  events: readonly DeploymentEvent[],
  source: "webhook" | "reconcile",
) {
  // In one order: two deliveries with the same rows in two orders could deadlock.
  const known = new Map(events.map(({ deployment }) => [deployment.id, deployment]));
  const rows = [...known.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
  return [
    db
      .insert(deployments)
      .values(rows.map((row) => ({ ...row, platform: "vercel" as const })))
      .onConflictDoUpdate({ target: deployments.id, set: mergedDescription }),
    db
      .insert(deploymentEvents)
      .values(
        events.map(({ deployment, kind, at, actor }) => ({
          deploymentId: deployment.id,
          kind,
          // A clock that is ahead must not keep a deployment live for ever.
          at: sql`least(${timestamp(at)}, date_trunc('milliseconds', now()))`,
          actor,
          source,
        })),
      )
      .onConflictDoNothing(),
  ] as const;
}

/** `least` ignores null and does not depend on the order. */
const mergedDescription = {
  sha: sql`least(${deployments.sha}, excluded.sha)`,
  url: sql`least(${deployments.url}, excluded.url)`,
  reason: sql`least(${deployments.reason}, excluded.reason)`,
};

/** Add the events of kinds that a deployment does not have yet. Returns how many were added. */
export async function recordMissing(
  ctx: Context,
  events: readonly DeploymentEvent[],
): Promise<number> {
  if (events.length === 0) return 0;
  const values = events.map(({ deployment, kind, at, actor }) => ({
    ...deployment,
    kind,
    at: at.toISOString(),
    actor,
  }));
  const listed = sql`jsonb_to_recordset(cast(${JSON.stringify(values)} as jsonb))
    as listed(id text, sha text, url text, reason text, kind text, at timestamptz, actor text)`;
  const [, { rows }] = await ctx.db.batch([
    ctx.db.execute(sql`
      insert into ${deployments} (id, platform, sha, url, reason)
      select distinct on (id) id, 'vercel', sha, url, reason from ${listed} order by id
      on conflict (id) do update set sha = ${mergedDescription.sha}, url = ${mergedDescription.url},
        reason = ${mergedDescription.reason}`),
    ctx.db.execute(sql`
      insert into ${deploymentEvents} (deployment_id, kind, at, actor, source)
      select id, kind, least(at, date_trunc('milliseconds', now())), actor, 'reconcile' from ${listed}
      where not exists (select from ${deploymentEvents}
        where deployment_id = listed.id and deployment_events.kind = listed.kind)
      on conflict do nothing returning deployment_id`),
  ]);
  return rows.length;
}
