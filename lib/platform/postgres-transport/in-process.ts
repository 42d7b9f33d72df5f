import type { NeonFetch } from "../platform.js";
import { handleSql } from "./neon-protocol.js";
import { postgresPool } from "./pool.js";

/** A placeholder for Neon's driver, which rejects some URLs and shows them in errors. */
export const inProcessUrl = "postgresql://user@in-process/database";

/**
 * Neon's protocol without HTTP, over a connection pool. `fetch` rejects when the server is unreachable or the deadline
 * has passed; errors of the server are replies. Aborting the signal cancels the statement.
 */
export function inProcessPostgres(
  connectionString: string,
  { deadlineMs }: { deadlineMs: number },
): { fetch: NeonFetch; close(): Promise<void> } {
  const pool = postgresPool(connectionString, { deadlineMs });
  return {
    async fetch(_url, { headers, body, signal }) {
      const reply = await handleSql(pool, headers, body, signal);
      return {
        ok: reply.status === 200,
        status: reply.status,
        json: async () => reply.body,
        text: async () => JSON.stringify(reply.body),
      };
    },
    close: () => pool.close(),
  };
}
