import { sql } from "drizzle-orm";
import type { Context } from "../context.js";

export interface PruneCounts {
  minutes: number;
  batches: number;
}

const rowsMax = 10_000;
const roundsMax = 5;

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
