import { serverErrorCodes } from "../../lib/errors.js";
import type { Route } from "../../lib/http/route.js";
import { errorsOf } from "../../lib/http/step-errors.js";
import { unmatched } from "../../lib/http/unmatched.js";
import type { DeclaredRoute } from "../../lib/operations/announced-series.js";
import { operationsOfApi } from "./openapi/routes.js";

/** What each route declares, one line each: the labels of its metrics. */
export async function declaredRoutes(): Promise<string> {
  const ofApi = (await operationsOfApi()).map(({ route }) => route);
  const routes = new Map([...ofApi, unmatched].map((route) => [route.template, route]));
  const lines = [...routes].map(
    ([template, route]) => `"${template}":${JSON.stringify(declared(route))}`,
  );
  return `{\n${lines.join(",\n")}\n}\n`;
}

function declared({ endpoints, template }: Route): DeclaredRoute {
  const all = Object.values(endpoints);
  return {
    statuses: Object.fromEntries(
      Object.entries(endpoints).map(([method, { replies }]) => [method, Object.keys(replies)]),
    ),
    // Errors of callers are too many series for their use.
    serverErrors: unique(all.flatMap((endpoint) => [...errorsOf(endpoint, template)])).filter(
      (code) => serverErrorCodes.includes(code),
    ),
    limits: unique(all.flatMap(({ limits }) => limits)),
  };
}

const unique = <T>(values: T[]): T[] => [...new Set(values)].sort();
