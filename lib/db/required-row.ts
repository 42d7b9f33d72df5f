import { type SQL, sql } from "drizzle-orm";

/**
 * An expression that fails its statement when `part` returned no row, and with it the batch: nothing
 * that was to commit together is written, the Idempotency-Key included. `lacksRequiredRow` knows the
 * failure. SQL has no other way to say so than a division by zero.
 */
export const requiredRow = (part: SQL) => sql`1 / (select count(*) from ${part})`;
