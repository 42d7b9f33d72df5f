import { neonConfig } from "@neondatabase/serverless";
import { postgresPool } from "../../../lib/platform/postgres-transport/pool.js";
import { startNeonEndpoint } from "../../../lib/self-hosted/embedded-stores/neon-endpoint.js";
import { openEmbeddedPostgres } from "../../../lib/self-hosted/embedded-stores/postgres.js";
import { createRealDatabase } from "./real-database.js";

export interface ServedDatabase {
  /** For the unmodified client, with the port of the endpoint. */
  connectionString: string;
  close(): Promise<void>;
}

// The client finds each endpoint of a test by the port in its connection string.
neonConfig.fetchEndpoint = (host, port) => `http://${host}:${port}/sql`;

/** The stores that the tests run over: embedded, and a real server if TEST_DATABASE_URL is set. */
export const stores: { name: string; serve: () => Promise<ServedDatabase> }[] = [
  { name: "embedded", serve: serveEmbedded },
];
const serverUrl = process.env.TEST_DATABASE_URL;
if (serverUrl) stores.push({ name: "a real server", serve: () => serveReal(serverUrl) });

async function serveEmbedded(): Promise<ServedDatabase> {
  const postgres = await openEmbeddedPostgres({});
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
