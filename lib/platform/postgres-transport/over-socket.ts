import type { NeonFetch } from "../platform.js";
import { handleSql } from "./neon-protocol.js";
import { postgresPool } from "./pool.js";

/** A placeholder for Neon's driver, which rejects some URLs and shows them in errors. */
export const placeholderUrl = "postgresql://user@socket/database";

/**
 * Neon's protocol to a Postgres server, over a pool of sockets. `fetch` rejects when the server is unreachable, shuts
 * down or is full, or the deadline has passed; other server errors are replies. Aborting the signal cancels the statement.
 */
export function postgresOverSocket(
  connectionString: string,
  { deadlineMs }: { deadlineMs: number },
): { fetch: NeonFetch; reconnect(): Promise<number>; close(): Promise<void> } {
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
    reconnect: () => pool.reconnect(),
    close: () => pool.close(),
  };
}
