import { type NeonQueryFunction, neon, neonConfig } from "@neondatabase/serverless";
import type { NeonFetch } from "../platform.js";
import { inProcessPostgres } from "../postgres-transport/in-process.js";
import { postgresOverHttp } from "../postgres-transport/over-http.js";
import { isNeon } from "./stores.js";

/** Migrations may rewrite a table; what bounds them is the platform's own limit of an HTTP query. */
const timeoutMs = 15 * 60_000;

/**
 * A connection for a command, without the deadline that requests have: to Neon or `endpoint` over HTTP,
 * to any other server directly. The whole process uses it, for the client's transport is a global.
 */
export function connectForMigrations(postgres: { connectionString: string; endpoint?: string }): {
  sql: NeonQueryFunction<false, false>;
  close(): Promise<void>;
} {
  const { fetch, close } = transportTo(postgres);
  neonConfig.fetchFunction = fetch;
  return { sql: neon(postgres.connectionString), close };
}

function transportTo({
  connectionString,
  endpoint,
}: {
  connectionString: string;
  endpoint?: string;
}): { fetch: NeonFetch; close(): Promise<void> } {
  if (endpoint !== undefined || isNeon(connectionString)) {
    const fetch = postgresOverHttp({ timeoutMs, ...(endpoint === undefined ? {} : { endpoint }) });
    return { fetch, close: async () => {} };
  }
  return inProcessPostgres(connectionString, { deadlineMs: timeoutMs });
}
