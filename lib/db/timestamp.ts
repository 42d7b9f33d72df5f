import { type SQL, sql } from "drizzle-orm";

/** Cast, because Postgres cannot always infer the type of a parameter. */
export const timestamp = (value: Date): SQL => sql`cast(${value.toISOString()} as timestamptz)`;

export const timestampOfMs = (ms: number): SQL => timestamp(new Date(ms));

/** Whole ms since the epoch, returned as text. */
export const epochMsOf = (value: SQL): SQL =>
  sql`cast(floor(extract(epoch from ${value}) * 1000) as bigint)`;

/** ISO 8601 in UTC with ms. */
export const isoOf = (value: SQL): SQL =>
  sql`to_char(${value} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
