import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Endpoint } from "../../../lib/http/endpoint.js";
import type { Method } from "../../../lib/http/resource.js";
import type { Route } from "../../../lib/http/route.js";
import { routesFromFiles } from "../../../lib/self-hosted/server/routes.js";

/** One method of one route. */
export interface Operation {
  /** Such as `GET /api/user/sessions`, with the path as OpenAPI writes it. */
  name: string;
  route: Route;
  method: Method;
  endpoint: Endpoint;
  path: string;
}

/** Every operation of api/, sorted by path. */
export async function operationsOfApi(): Promise<Operation[]> {
  const files = readdirSync("api", { recursive: true, encoding: "utf8" });
  const routes = routesFromFiles(files.map((file) => join("api", file)));
  const operations = await Promise.all(
    routes.map(async ({ file }) => {
      const { default: route } = await import(resolve(file));
      return operationsOf(route as Route);
    }),
  );
  return operations.flat().sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

export const isOperators = ({ path }: Operation) => path.startsWith("/api/ops/");

function operationsOf(route: Route): Operation[] {
  // `/api/` and `/api` are one URL.
  const path = route.template.replace(/\/$/, "").replace(/:(\w+)/g, "{$1}");
  return Object.entries(route.endpoints).map(([method, endpoint]) => ({
    name: `${method} ${path}`,
    route,
    method: method as Method,
    endpoint,
    path,
  }));
}
