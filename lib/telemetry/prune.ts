import { sql } from "drizzle-orm";
import type { Context } from "../context.js";

export interface PruneCounts {
  minutes: number;
  batches: number;
}

const rowsMax = 10_000;
const roundsMax = 5;

/** Delete counters per minute after 35 days and marks of drained batches after 48 h, at most 50,000 rows each. Safe to repeat. */
export async function pruneTelemetry({ db }: Context): Promise<PruneCounts> {
  const minutes = sql`delete from telemetry_minutes where ctid = any(array(
    select ctid from telemetry_minutes where minute < now() - interval '840 hours' limit ${rowsMax}))`;
  const batches = sql`delete from drained_batches where ctid = any(array(
    select ctid from drained_batches where drained_at < now() - interval '48 hours' limit ${rowsMax}))`;
  const inSteps = async (step: typeof minutes) => {
    let deleted = 0;
    for (let round = 0; round < roundsMax; round++) {
      const { rowCount } = await db.execute(step);
      deleted += rowCount;
      if (rowCount < rowsMax) break;
    }
    return deleted;
  };
  return { minutes: await inSteps(minutes), batches: await inSteps(batches) };
}
