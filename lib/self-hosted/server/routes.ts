/** A file of `api/` and the URL it answers, e.g. `api/user/[id].ts` and `/api/user/[id]`. */
export interface FileRoute {
  file: string;
  path: string;
}

/**
 * The routes of function files, in the order in which the platform tries those with dynamic segments:
 * more path segments in the file's name first, then fewer dynamic ones, then by name.
 *
 * `files` are relative to the project (`api/auth/login.ts`) and in any order. Names that begin with
 * `_` or `.` and declaration files are no functions, as on the platform.
 */
export function routesFromFiles(files: readonly string[]): FileRoute[] {
  return files
    .filter(isFunctionFile)
    .sort(byPrecedence)
    .map((file) => ({ file, path: pathOf(file) }));
}

/**
 * Find the route of a URL's path: a static one first, else the first dynamic one that fits.
 *
 * A trailing slash changes nothing. Segments are compared as they were sent, without decoding.
 */
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

function pathOf(file: string): string {
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

/** The platform counts the dynamic segments that stand last, with no static one after them. */
function dynamicSegments(file: string): number {
  return file
    .split("/")
    .reduce((count, segment) => (/^\[.+\](\.\w+)?$/.test(segment) ? count + 1 : 0), 0);
}
