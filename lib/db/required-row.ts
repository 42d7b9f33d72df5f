import { type SQL, sql } from "drizzle-orm";

/** Fails the statement and its batch (`lacksRequiredRow`) when `part` has no row, by a division by zero. */
export const requiredRow = (part: SQL) => sql`1 / (select count(*) from ${part})`;
