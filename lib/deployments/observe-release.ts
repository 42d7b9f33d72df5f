import { sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { migrationHead } from "../db/migration-head.js";
import { deploymentEvents, deployments } from "../db/schema/deployments.js";
import { deploymentUnrecorded } from "../observability/log-lines/deployments.js";
import { version } from "../version.js";
import { retryObservation } from "./observation-claim.js";
import { ownCrons } from "./own-crons.js";
import { isRecorded, ownDeploymentId } from "./own-deployment.js";
import { releaseEnvironment } from "./release-environment.js";

/** After the reply to a request with `claimObservation`. Never rejects. */
export async function observeAfterReply(ctx: Context): Promise<void> {
  try {
    await observeRelease(ctx);
  } catch (error) {
    retryObservation(ctx.env);
    deploymentUnrecorded(ctx.correlationId, error);
  }
}

/**
 * Record that this release serves requests: its migration head, variables and crons, and perhaps that it is live now. It
 * becomes live when it never was, or when the live one showed no sign of life for ten minutes: while a rolling deployment
 * replaces one process after the other, both serve, and the newer one stays live. Times are those of Postgres.
 */
export async function observeRelease(ctx: Context): Promise<{ becameLive: boolean }> {
  const { env } = ctx;
  if (!isRecorded(env)) return { becameLive: false };
  const [id, { platform, ownHosts }] = [ownDeploymentId(env), env.deployment];
  const { rows } = await ctx.db.execute(sql`
    with live as (
      select deployment_id as id, greatest(at, last_served_at) as seen_at
      from ${deploymentEvents} join ${deployments} on id = deployment_id
      where kind = 'live' order by at desc, deployment_id desc limit 1
    ), own as (
      insert into ${deployments} as known (id, platform, sha, version, url, first_served_at, last_served_at,
        migration_head, environment, crons)
      values (${id}, ${platform}, ${env.release.sha}, ${version}, ${ownHosts[0] ?? null}, now(), now(),
        ${migrationHead}, cast(${JSON.stringify(releaseEnvironment(env))} as jsonb),
        cast(${JSON.stringify(ownCrons)} as jsonb))
      on conflict (id) do update set
        sha = least(known.sha, excluded.sha), version = excluded.version, url = least(known.url, excluded.url),
        first_served_at = least(known.first_served_at, now()), last_served_at = now(),
        migration_head = excluded.migration_head, environment = excluded.environment, crons = excluded.crons
      returning id
    )
    insert into ${deploymentEvents} (deployment_id, kind, at, source)
    select id, 'live', date_trunc('milliseconds', now()), 'request' from own
    where not exists (select from live where live.id = own.id)
      and (not exists (select from ${deploymentEvents} where deployment_id = own.id and kind = 'live')
        or not exists (select from live where seen_at >= now() - interval '10 minutes'))
    on conflict do nothing
    returning deployment_id`);
  return { becameLive: rows.length > 0 };
}
