import { type NeonQueryFunction, neon, neonConfig } from "@neondatabase/serverless";
import { fillPlaceholders, type Query, type SQL } from "drizzle-orm";
import { drizzle, NeonHttpSession } from "drizzle-orm/neon-http";
import { PgDialect } from "drizzle-orm/pg-core";
import type { RunnableQuery } from "drizzle-orm/runnable-query";
import type { Database } from "../context.js";
import { memoizeByObject } from "../memoize-by-object.js";
import { platform } from "../platform/installed.js";
import type { NeonFetch, Platform } from "../platform/platform.js";
import type { DatabaseRequest } from "./database-request.js";
import { databaseUnavailable } from "./failures.js";
import { sendStatement } from "./send-statement.js";
import { withStableFormats } from "./stable-formats.js";

export function database(): Database {
  return databaseOfPlatform(platform());
}

/** Differs from the process's database only in what the driver passes to the transport. */
export function databaseForRequest(request: DatabaseRequest): Database {
  return withRequest(database(), request);
}

/** Another database than that of the process, such as a restored copy. */
export function databaseAt(
  connectionString: string,
  request: DatabaseRequest & Required<Pick<DatabaseRequest, "transport">>,
): Database {
  return withRequest(withStableFormats(drizzle(neon(connectionString))), request);
}

function withRequest(shared: Database, request: DatabaseRequest): Database {
  const { query, transaction } = shared.$client;
  const fetchOptions = { request };
  const $client = {
    query: (text: string, params: unknown[], options: object) =>
      query(text, params, { ...options, fetchOptions }),
    transaction: (queries: Parameters<typeof transaction>[0], options: object) =>
      transaction(queries, { ...options, fetchOptions }),
  } as unknown as Client;
  const session = new NeonHttpSession($client, dialectOf(shared), undefined);
  return Object.assign(Object.create(shared) as Database, { $client, session });
}

/** Built once per process: building the SQL costs more than sending it. */
export function prepared<Q extends object>(build: (db: Database) => Q): (db: Database) => Q {
  const built = memoizeByObject((_: Platform) => build(database()));
  return ({ $client: { query: clientQuery } }) =>
    Object.assign(Object.create(built(platform())) as Q, { clientQuery });
}

/** For raw SQL: each placeholder needs a cast; rows have the column names and raw values of Postgres. */
export function preparedSql<Row>(
  build: () => SQL,
): (db: Database, values: Record<string, unknown>) => Promise<Row[]> {
  const filled = filledQuery(build);
  return async ({ $client }, values) => {
    const { sql, params } = filled(values);
    return (await $client.query(sql, params)) as Row[];
  };
}

/** The same as an item of a batch. */
export function preparedBatchSql<Row>(
  build: () => SQL,
): (values: Record<string, unknown>) => RunnableQuery<{ rows: Row[] }, "pg"> {
  const filled = filledQuery(build);
  return (values) => {
    // What drizzle calls in a batch, as in its PgRaw.
    const item = {
      _prepare: () => item,
      getQuery: () => filled(values),
      isResponseInArrayMode: () => false,
      mapResult: (result: unknown) => result,
    };
    return item as unknown as RunnableQuery<{ rows: Row[] }, "pg">;
  };
}

function filledQuery(build: () => SQL): (values: Record<string, unknown>) => Query {
  let query: Query | undefined;
  return (values) => {
    query ??= withoutIndentation(new PgDialect().sqlToQuery(build()));
    return { sql: query.sql, params: fillPlaceholders(query.params, values) };
  };
}

function withoutIndentation({ sql, params }: Query): Query {
  return { sql: sql.replace(/\s+/g, " "), params };
}

type Client = NeonQueryFunction<false, false>;

const dialectOf = (db: Database) => (db as unknown as { dialect: PgDialect }).dialect;

function connect({ postgres }: Platform): Database {
  return withStableFormats(drizzle(neon(postgres.connectionString)));
}

const databaseOfPlatform = memoizeByObject(connect);

/** Turns every transport failure (refused, cut, late, malformed) into `service_unavailable`. */
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
neonConfig.fetchFunction = transport;
