import { neonConfig } from "@neondatabase/serverless";
import { postgresPool } from "../../../lib/platform/postgres-transport/pool.js";
import { startNeonEndpoint } from "../../../lib/self-hosted/embedded-stores/neon-endpoint.js";
import { openEmbeddedPostgres } from "../../../lib/self-hosted/embedded-stores/postgres.js";
import { snapshot } from "../../support/snapshots.js";
import { createRealDatabase } from "./real-database.js";

export interface ServedDatabase {
  /** For the unmodified client, with the port of the endpoint. */
  connectionString: string;
  close(): Promise<void>;
}

// The client finds each endpoint of a test by the port in its connection string.
neonConfig.fetchEndpoint = (host, port) => `http://${host}:${port}/sql`;

const serverUrl = process.env.TEST_DATABASE_URL;

/** The store that the tests run over: a real server where one is named, else the embedded one. */
export const stores: { name: string; serve: () => Promise<ServedDatabase> }[] = serverUrl
  ? [{ name: "a real server", serve: () => serveReal(serverUrl) }]
  : [{ name: "embedded", serve: serveEmbedded }];

async function serveEmbedded(): Promise<ServedDatabase> {
  const postgres = await openEmbeddedPostgres({ snapshot: await snapshot("empty") });
  const endpoint = await serve(postgres.backend);
  return {
    connectionString: endpoint.connectionString,
    async close() {
      await endpoint.close();
      await postgres.close();
    },
  };
}

async function serveReal(url: string): Promise<ServedDatabase> {
  const database = await createRealDatabase(url);
  const pool = postgresPool(database.connectionString);
  const endpoint = await serve(pool);
  return {
    connectionString: endpoint.connectionString,
    async close() {
      await endpoint.close();
      await pool.close();
      await database.drop();
    },
  };
}

async function serve(backend: Parameters<typeof startNeonEndpoint>[0]["backend"]) {
  const own = new URL("postgresql://tester:secret@127.0.0.1/test");
  const { url, close } = await startNeonEndpoint({ backend, connectionString: own.href });
  own.port = new URL(url).port;
  return { connectionString: own.href, close };
}
