import { neon, neonConfig } from "@neondatabase/serverless";
import { drizzle } from "drizzle-orm/neon-http";
import { oncePer } from "../once-per.js";
import { platform } from "../platform/installed.js";
import type { NeonFetch, Platform } from "../platform/platform.js";
import { databaseUnavailable } from "./failures.js";
import * as schema from "./schema.js";

export type Database = ReturnType<typeof connect>;

/** Postgres through Neon's HTTP driver, over whichever transport the platform has. */
export function database(): Database {
  return connected(platform());
}

/**
 * A query prepared once for each database handle. Building the SQL costs more than sending it, so the
 * statements of hot paths are built once and get their values by `sql.placeholder`.
 */
export function prepared<Q>(build: (db: Database) => Q): (db: Database) => Q {
  return oncePer(build);
}

function connect({ postgres }: Platform) {
  return drizzle(neon(postgres.connectionString), { schema });
}

const connected = oncePer(connect);

/** The transport, with every way of not answering turned into one error: refused, cut, late, garbage. */
const transport: NeonFetch = async (url, init) => {
  try {
    const reply = await platform().postgres.fetch(url, init);
    if (!reply.ok && reply.status !== 400) throw new Error(`HTTP status ${reply.status}`);
    const body = await reply.json();
    return { ok: reply.ok, status: reply.status, json: async () => body, text: reply.text };
  } catch (cause) {
    throw databaseUnavailable(cause);
  }
};
// The driver takes its transport from a module-wide setting; asking at each call lets it change.
neonConfig.fetchFunction = transport;
