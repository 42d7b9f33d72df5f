import { randomUUID } from "node:crypto";
import { hostOf, isNeon, parseDatabaseUrl, placeOf } from "../../lib/database-url.js";
import type { Platform } from "../../lib/platform/platform.js";
import { postgresOverHttp } from "../../lib/platform/postgres-transport/over-http.js";
import { postgresPool } from "../../lib/platform/postgres-transport/pool.js";
import type { AttachedStores } from "../../lib/self-hosted/embedded-stores/attach.js";
import { startNeonEndpoint } from "../../lib/self-hosted/embedded-stores/neon-endpoint.js";

export interface OpenPostgres {
  transport: Platform["postgres"];
  /** For people: what and where, without the password. */
  description: string;
  /** On this machine, so that a development server may migrate and seed it unasked. */
  isLocal: boolean;
  close(): Promise<void>;
}

/**
 * The Postgres that `databaseUrl` names, else the embedded one. Neon is spoken to directly, any other
 * through our own endpoint, so that the client and its transport are production's.
 */
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
  const place = `${placeOf(databaseUrl)}${pathname}`;
  if (isNeon(databaseUrl)) {
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
