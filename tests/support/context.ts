import { randomUUID } from "node:crypto";
import { waitUntil } from "@vercel/functions";
import type { Context } from "../../lib/context.js";
import { database } from "../../lib/db/database.js";
import { env } from "../../lib/env.js";
import { emptyRequestMetrics } from "../../lib/request-metrics.js";

/** The context that a request passes to the domain, for tests of functions without a route. */
export function aContext(): Context {
  return {
    env: env(),
    db: database(),
    now: new Date(),
    correlationId: randomUUID(),
    route: "/api/test",
    address: "192.0.2.1",
    requestMetrics: emptyRequestMetrics(),
    gate: null,
    after: (work) => waitUntil(work()),
  };
}
