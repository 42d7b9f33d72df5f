import type { NeonFetch } from "../platform.js";
import { handleSql } from "./neon-protocol.js";
import { postgresPool } from "./pool.js";

/**
 * What Neon's driver is given in place of the URL, which it would not take in every form and shows in its
 * errors. The transport needs none.
 */
export const inProcessUrl = "postgresql://user@in-process/database";

/**
 * Neon's protocol without HTTP, over a pool of connections to any PostgreSQL.
 *
 * `fetch` rejects, like a network, when the server is away or takes longer than the deadline. The
 * server's own errors are replies. Aborting its signal cancels the statement.
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
