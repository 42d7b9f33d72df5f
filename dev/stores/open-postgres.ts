import { randomUUID } from "node:crypto";
import { hostAndPortOf, hostOf, isNeonUrl, parseDatabaseUrl } from "../../lib/database-url.js";
import type { Platform } from "../../lib/platform/platform.js";
import { postgresOverHttp } from "../../lib/platform/postgres-transport/over-http.js";
import { postgresPool } from "../../lib/platform/postgres-transport/pool.js";
import type { AttachedStores } from "../../lib/self-hosted/embedded-stores/attach.js";
import { startNeonEndpoint } from "../../lib/self-hosted/embedded-stores/neon-endpoint.js";

export interface OpenPostgres {
  transport: Platform["postgres"];
  /** Shown at start. Without the password. */
  description: string;
  /** True on this machine: a development server migrates and seeds it automatically. */
  isLocal: boolean;
  close(): Promise<void>;
}

/** Any Postgres but Neon gets our endpoint in front, so that client and transport are those of production. */
export async function openPostgres(
  databaseUrl: string | undefined,
  timeoutMs: number,
  embedded: () => Promise<AttachedStores>,
): Promise<OpenPostgres> {
  if (!databaseUrl) {
    const { connectionString, endpoint } = (await embedded()).postgres;
    return {
      transport: { connectionString, fetch: postgresOverHttp({ timeoutMs, endpoint }) },
      description: "embedded PostgreSQL (.local/postgres)",
      isLocal: true,
      close: async () => {},
    };
  }
  const { pathname } = parseDatabaseUrl(databaseUrl);
  const place = `${hostAndPortOf(databaseUrl)}${pathname}`;
  if (isNeonUrl(databaseUrl)) {
    return {
      transport: { connectionString: databaseUrl, fetch: postgresOverHttp({ timeoutMs }) },
      description: `Neon (${place})`,
      isLocal: false,
      close: async () => {},
    };
  }
  const backend = postgresPool(databaseUrl);
  const connectionString = `postgresql://linguamate:${randomUUID()}@localhost/linguamate`;
  const endpoint = await startNeonEndpoint({ backend, connectionString });
  return {
    transport: {
      connectionString,
      fetch: postgresOverHttp({ timeoutMs, endpoint: endpoint.url }),
    },
    description: `PostgreSQL (${place})`,
    isLocal: /^(\/|localhost$|127\.0\.0\.1$|\[::1\]$)/.test(hostOf(databaseUrl)),
    async close() {
      await endpoint.close();
      await backend.close();
    },
  };
}
