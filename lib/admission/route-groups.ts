/**
 * The groups of routes that can be switched off, each with what goes with it. A group is the first
 * segment of a route's path after /api/, and its kill switch has the group's name. Operators call routes of
 * no group: they sign in there, too, and so can switch each group on again.
 */
export const routeGroups = {
  auth: "registering, signing in and out, refreshing, mailed codes and second factors in the app, which works on only until its access token expires",
  user: "profile, preferences, sessions, onboarding and audit trail in the app",
  stt: "speech to text",
} as const;

export type RouteGroup = keyof typeof routeGroups;

/** The group of a route's template; undefined where nothing switches it off. */
export function routeGroupOf(template: string): RouteGroup | undefined {
  const [, , segment = ""] = template.split("/");
  return isRouteGroup(segment) ? segment : undefined;
}

export function isRouteGroup(name: string): name is RouteGroup {
  return Object.hasOwn(routeGroups, name);
}
