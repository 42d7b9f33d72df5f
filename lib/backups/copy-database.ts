import type { Context, Database } from "../context.js";
import { isNeonUrl } from "../database-url.js";
import { databaseAt } from "../db/database.js";
import { postgresOverHttp } from "../platform/postgres-transport/over-http.js";

/** Longer than for requests: a copy has just been started, and whole tables are counted, there and in the live database. */
export const copyTimeoutMs = 15_000;
/** For the driver, which only builds requests from it. */
const placeholderUrl = "postgresql://user@copy/database";

/** Run `work` on the database of a copy, and close the connection. */
export async function withCopyDatabase<T>(
  ctx: Context,
  uri: string,
  work: (copy: Context) => Promise<T>,
): Promise<T> {
  const { url, transport, close } = await transportTo(uri);
  try {
    const request = { correlationId: ctx.correlationId, trace: ctx.trace, transport };
    const db: Database = databaseAt(url, request);
    return await work({ ...ctx, db });
  } finally {
    await close();
  }
}

async function transportTo(uri: string) {
  if (isNeonUrl(uri)) {
    return {
      url: uri,
      transport: postgresOverHttp({ timeoutMs: copyTimeoutMs }),
      close: async () => {},
    };
  }
  const { postgresOverSocket } = await import("../platform/postgres-transport/over-socket.js");
  const { fetch, close } = postgresOverSocket(uri, { deadlineMs: copyTimeoutMs });
  return { url: placeholderUrl, transport: fetch, close };
}
