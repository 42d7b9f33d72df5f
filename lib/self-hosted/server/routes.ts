/** `api/user/[id].ts` and `/api/user/[id]`. */
export interface FileRoute {
  file: string;
  path: string;
}

/** Scripts in `api/`, without a leading `_` or `.`, in the platform's order: more segments, fewer dynamic ones, name. */
export function routesFromFiles(files: readonly string[]): FileRoute[] {
  return files
    .filter(isFunctionFile)
    .sort(byPrecedence)
    .map((file) => ({ file, path: pathOf(file) }));
}

/** Static routes first, then the first matching dynamic one. A trailing slash is ignored; segments are not decoded. */
export function createRouter<Route extends { path: string }>(
  routes: readonly Route[],
): (pathname: string) => Route | undefined {
  const fixed = new Map<string, Route>();
  const dynamic: { pattern: RegExp; route: Route }[] = [];
  for (const route of routes) {
    if (route.path.includes("[")) dynamic.push({ pattern: patternOf(route.path), route });
    else fixed.set(route.path, route);
  }
  return (pathname) => {
    const path = pathname.length > 1 && pathname.endsWith("/") ? pathname.slice(0, -1) : pathname;
    return fixed.get(path) ?? dynamic.find(({ pattern }) => pattern.test(path))?.route;
  };
}

function isFunctionFile(file: string): boolean {
  return (
    /^api\/.+\.(ts|js|mjs)$/.test(file) &&
    !file.endsWith(".d.ts") &&
    !file.split("/").some((segment) => segment.startsWith("_") || segment.startsWith("."))
  );
}

export function pathOf(file: string): string {
  return `/${file.replace(/\.(ts|js|mjs)$/, "").replace(/\/index$/, "")}`;
}

function patternOf(path: string): RegExp {
  const segments = path
    .split("/")
    .map((segment) =>
      /^\[.+\]$/.test(segment) ? "[^/]+" : segment.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"),
    );
  return new RegExp(`^${segments.join("/")}$`);
}

function byPrecedence(a: string, b: string): number {
  return (
    b.split("/").length - a.split("/").length ||
    dynamicSegments(a) - dynamicSegments(b) ||
    a.localeCompare(b)
  );
}

function dynamicSegments(file: string): number {
  return file
    .split("/")
    .reduce((count, segment) => (/^\[.+\](\.\w+)?$/.test(segment) ? count + 1 : 0), 0);
}
