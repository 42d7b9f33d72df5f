import { type NeonQueryFunction, neon, neonConfig } from "@neondatabase/serverless";
import { fillPlaceholders, type Query, type SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/neon-http";
import { PgDialect } from "drizzle-orm/pg-core";
import type { Database } from "../context.js";
import { oncePer } from "../once-per.js";
import { platform } from "../platform/installed.js";
import type { NeonFetch, Platform } from "../platform/platform.js";
import type { AskingRequest } from "./asking-request.js";
import { databaseUnavailable } from "./failures.js";
import { withFixedForms } from "./fixed-forms.js";
import { sendStatement } from "./send-statement.js";

/** Postgres through Neon's HTTP driver, over whichever transport the platform has. */
export function database(): Database {
  return connected(platform());
}

/** Postgres for one request, whose correlation ID its statements carry and whose trace they are spans of. */
export function databaseOf(request: AskingRequest): Database {
  const { query, transaction } = database().$client;
  // The driver hands them on to the transport.
  const fetchOptions = { request };
  const client = () => {
    throw new Error("Statements go through query() and transaction().");
  };
  const own = Object.assign(client, {
    query: (text: string, params: unknown[], options: object) =>
      query(text, params, { ...options, fetchOptions }),
    transaction: (queries: Parameters<typeof transaction>[0], options: object) =>
      transaction(queries, { ...options, fetchOptions }),
  });
  return withFixedForms(drizzle(own as unknown as Client));
}

/**
 * A query prepared once for each process. Building the SQL costs more than sending it, so the
 * statements of hot paths are built once and get their values by `sql.placeholder`.
 */
export function prepared<Q extends object>(build: (db: Database) => Q): (db: Database) => Q {
  const built = oncePer((_: Platform) => build(database()));
  // A prepared query keeps the way by which it is sent, which is each request's own.
  return ({ $client: { query: clientQuery } }) =>
    Object.assign(Object.create(built(platform())) as Q, { clientQuery });
}

/**
 * The same for a statement that is written as SQL. Its values are sent as they are, so each placeholder
 * stands in a cast; rows come with the column names of SQL, and values in the forms that it gives them.
 */
export function preparedSql<Row>(
  build: () => SQL,
): (db: Database, values: Record<string, unknown>) => Promise<Row[]> {
  let text: Query | undefined;
  return async ({ $client }, values) => {
    text ??= withoutIndentation(new PgDialect().sqlToQuery(build()));
    return (await $client.query(text.sql, fillPlaceholders(text.params, values))) as Row[];
  };
}

/** The text is sent with every call: of one that is laid out to be read, a third is white space. */
function withoutIndentation({ sql, params }: Query): Query {
  return { sql: sql.replace(/\s+/g, " "), params };
}

type Client = NeonQueryFunction<false, false>;

function connect({ postgres }: Platform): Database {
  return withFixedForms(drizzle(neon(postgres.connectionString)));
}

const connected = oncePer(connect);

/** The transport, with every way of not answering turned into one error: refused, cut, late, garbage. */
const transport: NeonFetch = async (url, init) => {
  try {
    const reply = await sendStatement(url, init);
    if (!reply.ok && reply.status !== 400) throw new Error(`HTTP status ${reply.status}`);
    const body = await reply.json();
    return { ok: reply.ok, status: reply.status, json: async () => body, text: reply.text };
  } catch (cause) {
    throw databaseUnavailable(cause);
  }
};
// The driver takes its transport from a module-wide setting; asking at each call lets it change.
neonConfig.fetchFunction = transport;
