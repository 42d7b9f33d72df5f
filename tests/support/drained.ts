import { drainEvents } from "../../lib/telemetry/drain.js";
import { recordRequestEvent } from "../../lib/telemetry/producer.js";
import { requestEvent } from "../../lib/telemetry/request-event.js";
import { aContext } from "./context.js";
import type { Stores } from "./stores.js";

/** The value of each series. */
export type Series = Record<string, number>;

/** Drain the events of all requests into the tables. */
export async function drained(stores: Stores) {
  await stores.settled();
  return drainEvents(aContext());
}

/** Record finished requests of `route` that took so long, as the pipeline does after each reply. */
export async function recordRequests(route: string, durationsMs: number[]): Promise<void> {
  await Promise.all(
    durationsMs.map((durationMs) => {
      const ctx = { ...aContext(), route };
      const ended = { method: "GET", status: 200, durationMs, code: undefined, appVersion: null };
      return recordRequestEvent(ctx, requestEvent(ctx, ended));
    }),
  );
}

/** Empty the stream and the tables of request events. */
export async function deleteEvents(stores: Stores): Promise<void> {
  await stores.settled();
  await stores.redis("DEL", "events", "events:bytes", "events:drain");
  await stores.redis("HDEL", "gate", "lastDrain");
  for (const table of [
    "access_log",
    "telemetry_totals",
    "telemetry_minutes",
    "telemetry_gauges",
    "drained_batches",
  ]) {
    await stores.sql(`delete from ${table}`);
  }
  await stores.sql("update drain_state set cursor = '0-0'");
}

export const totals = (stores: Stores) => series(stores, "telemetry_totals");

/** The sum over all minutes. */
export const minutes = (stores: Stores) => series(stores, "telemetry_minutes");

async function series(stores: Stores, table: string): Promise<Series> {
  const rows = await stores.sql(`select series, sum(value) as value from ${table} group by series`);
  return Object.fromEntries(rows.map((row) => [row.series ?? "", Number(row.value)]));
}
