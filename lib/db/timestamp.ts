import { type SQL, sql } from "drizzle-orm";

/** A moment in a statement of our own, with the type that Postgres cannot always infer of a parameter. */
export const timestamp = (moment: Date): SQL => sql`cast(${moment.toISOString()} as timestamptz)`;

/** The same of one in ms since the epoch. */
export const timestampOfMs = (ms: number): SQL => timestamp(new Date(ms));

/** A moment of a statement in whole ms since the epoch, which comes back as text. */
export const msOf = (moment: SQL): SQL =>
  sql`cast(floor(extract(epoch from ${moment}) * 1000) as bigint)`;
