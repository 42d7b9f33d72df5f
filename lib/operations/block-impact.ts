import { gt, inArray, type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { accessLog } from "../db/schema/telemetry.js";
import { networkOf } from "../ip-address.js";
import { userHashes } from "../telemetry/request-event.js";
import { drainBeforeReading } from "./telemetry/drain-before-reading.js";

const minutes = 15;
const routesNamedMax = 5;

interface Hit extends Record<string, unknown> {
  requests: number;
  networks: number;
  users: number;
  routes: { route: string; requests: number }[];
}

/** The recent requests that a block of this value would have refused, as a sentence and as numbers. Drains events first. */
export async function impactOfBlocking(
  ctx: Context,
  value: string,
): Promise<{ text: string; detail: Record<string, unknown> }> {
  const until = await drainBeforeReading(ctx);
  const userId = value.startsWith("user:") ? value.slice("user:".length) : undefined;
  const network = userId === undefined ? loggedNetwork(value) : value;
  const which =
    userId === undefined
      ? sql`cast(${accessLog.ipPrefix} as cidr) <<= cast(${network} as cidr)`
      : inArray(accessLog.userHash, userHashes(ctx.env, userId));
  const hit = await readHit(ctx, which);
  const of = userId === undefined ? `from ${network}` : "of this user";
  const wider = network === value ? "" : " The access log has no smaller network.";
  return {
    text: `Requests ${of} in the last ${minutes} minutes: ${countText(hit)}.${wider}`,
    detail: { ...hit, ...until },
  };
}

/** The network itself, or the one that contains it in the access log. */
function loggedNetwork(value: string): string {
  const [base = "", bits] = value.split("/");
  return networkOf(base, Math.min(Number(bits), 24), Math.min(Number(bits), 48));
}

async function readHit({ db, now }: Context, which: SQL): Promise<Hit> {
  const from = new Date(now.getTime() - minutes * 60_000);
  const { rows } = await db.execute<Hit>(sql`
    with hit as (
      select route, user_hash, ip_prefix, count * one_in as requests
      from ${accessLog} where ${gt(accessLog.at, from)} and ${which}),
    routes as (
      select route, sum(requests)::int as requests from hit
      group by route order by requests desc, route limit ${routesNamedMax})
    select coalesce(sum(requests), 0)::int as requests, count(distinct ip_prefix)::int as networks,
      count(distinct user_hash)::int as users,
      coalesce((select json_agg(routes) from routes), '[]') as routes
    from hit`);
  return rows[0] ?? { requests: 0, networks: 0, users: 0, routes: [] };
}

function countText({ requests, networks, users, routes }: Hit): string {
  if (requests === 0) return "none";
  const named = routes.map(({ route, requests }) => `${route} ${requests}`).join(", ");
  const from = `from ${networks} ${networks === 1 ? "network" : "networks"}`;
  // A row of several requests names no user.
  const by = users > 0 ? `, by at least ${users} signed-in ${users === 1 ? "user" : "users"}` : "";
  return `${requests} (${named}), ${from}${by}`;
}
