import type { Stores } from "./stores.js";

/** As if the next minute or hour had begun, and every lease had run out: the clock's jobs are due again. */
export async function nextSlot(stores: Pick<Stores, "sql">): Promise<void> {
  await stores.sql("update cron_leases set done_slot = null, held_until = now()");
}
