import type { Stores } from "./stores.js";

/** Make all cron jobs due again, as in the next slot with all leases expired. */
export async function nextSlot(stores: Pick<Stores, "sql">): Promise<void> {
  await stores.sql("update cron_leases set done_slot = null, held_until = now()");
}
