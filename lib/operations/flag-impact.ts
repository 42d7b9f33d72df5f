import type { FlagRow } from "../admission/flags.js";
import { isRouteGroup, routeGroupOf, routeGroups } from "../admission/route-groups.js";
import type { Context } from "../context.js";
import { recentSeries } from "./telemetry/recent-series.js";

const minutes = 15;
const routesNamedMax = 5;

/** Which routes and callers are affected when a flag is switched off, as a sentence, and the recent requests per route. */
export async function impactOfSwitchingOff(
  ctx: Context,
  { name, percentage, users }: FlagRow,
): Promise<{ text: string; routes: { route: string; requests: number }[] }> {
  if (!isRouteGroup(name)) {
    const share = percentage === 100 ? "all users" : `${percentage} % of users`;
    const named = users.length > 0 ? ` and ${users.length} named users` : "";
    return { text: `The app turns the feature off for ${share}${named}.`, routes: [] };
  }
  const routes = await recentRoutes(ctx, name);
  const total = routes.reduce((sum, { requests }) => sum + requests, 0);
  const named = routes
    .slice(0, routesNamedMax)
    .map(({ route, requests }) => `${route} ${requests}`);
  const recent = total === 0 ? "none" : `${total} (${named.join(", ")})`;
  const text = [
    `Every route under /api/${name}/ answers 503 feature_disabled to all callers. Affected: ${routeGroups[name]}.`,
    `Requests to them in the last ${minutes} minutes: ${recent}.`,
    "Routes under /api/ops/ are not affected: operators can sign in and switch it on again.",
  ];
  return { text: text.join(" "), routes };
}

async function recentRoutes(ctx: Context, group: string) {
  const counts = new Map<string, number>();
  for (const { labels, value } of await recentSeries(ctx, "http_requests_total{", minutes)) {
    const { route = "" } = labels;
    if (routeGroupOf(route) === group) counts.set(route, (counts.get(route) ?? 0) + value);
  }
  return [...counts]
    .map(([route, requests]) => ({ route, requests }))
    .sort((one, other) => other.requests - one.requests);
}
