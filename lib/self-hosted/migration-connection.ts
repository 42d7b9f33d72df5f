import { type NeonQueryFunction, neon, neonConfig } from "@neondatabase/serverless";
import { isNeon } from "../database-url.js";
import { requireOverHttps } from "../platform/installed.js";
import type { NeonFetch } from "../platform/platform.js";
import { inProcessPostgres, inProcessUrl } from "../platform/postgres-transport/in-process.js";
import { postgresOverHttp } from "../platform/postgres-transport/over-http.js";

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
  const { url, fetch, close } = transportTo(postgres);
  neonConfig.fetchFunction = fetch;
  return { sql: neon(url), close };
}

function transportTo({
  connectionString: url,
  endpoint,
}: {
  connectionString: string;
  endpoint?: string;
}): { url: string; fetch: NeonFetch; close(): Promise<void> } {
  if (endpoint !== undefined || isNeon(url)) {
    requireOverHttps(url);
    const fetch = postgresOverHttp({ timeoutMs, ...(endpoint === undefined ? {} : { endpoint }) });
    return { url, fetch, close: async () => {} };
  }
  return { url: inProcessUrl, ...inProcessPostgres(url, { deadlineMs: timeoutMs }) };
}
