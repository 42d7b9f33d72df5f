/** The first path segment after /api/. Operators' routes are in no group, so they can always turn a group on again. */
export const routeGroups = {
  auth: "registration, login, logout, token refresh, e-mailed codes and second factors in the app; signed-in users lose access when their access token expires",
  user: "profile, preferences, sessions, onboarding and audit log in the app",
  languages: "the list of languages in the app",
  courses: "the list and the overview of courses in the app",
  lessons: "lessons in the app, and the start of their attempts",
  attempts: "answers and completions of lessons in the app",
  progress: "the own progress in the app",
  learn: "alphabet, words, phrases and grammar in the app",
  stt: "speech to text",
} as const;

export type RouteGroup = keyof typeof routeGroups;

/** Undefined for routes without a kill switch. */
export function routeGroupOf(template: string): RouteGroup | undefined {
  const [, , segment = ""] = template.split("/");
  return isRouteGroup(segment) ? segment : undefined;
}

export function isRouteGroup(name: string): name is RouteGroup {
  return Object.hasOwn(routeGroups, name);
}
