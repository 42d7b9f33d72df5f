import { type SQL, sql } from "drizzle-orm";

/** A moment in a statement of our own, with the type that Postgres cannot always infer of a parameter. */
export const timestamp = (moment: Date): SQL => sql`cast(${moment.toISOString()} as timestamptz)`;
