import { type NeonQueryFunction, neon, neonConfig } from "@neondatabase/serverless";
import { isNeonUrl } from "../database-url.js";
import { requireOverHttps } from "../platform/installed.js";
import type { NeonFetch } from "../platform/platform.js";
import { postgresOverHttp } from "../platform/postgres-transport/over-http.js";
import { placeholderUrl, postgresOverSocket } from "../platform/postgres-transport/over-socket.js";

/** Long, because a migration may rewrite a table. */
const timeoutMs = 15 * 60_000;

/** With a deadline of 15 min instead of that of requests. Sets the driver's transport for the whole process. */
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
  if (endpoint !== undefined || isNeonUrl(url)) {
    requireOverHttps(url);
    const fetch = postgresOverHttp({ timeoutMs, ...(endpoint === undefined ? {} : { endpoint }) });
    return { url, fetch, close: async () => {} };
  }
  return { url: placeholderUrl, ...postgresOverSocket(url, { deadlineMs: timeoutMs }) };
}
