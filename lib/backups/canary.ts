import type { Context } from "../context.js";
import { backupCanaries } from "../db/schema/backups.js";

export async function hasCanary({ db }: Context): Promise<boolean> {
  return (await db.select().from(backupCanaries).limit(1)).length > 0;
}

/** A restored copy shows by these rows up to which time it has data. Each call writes one. */
export async function writeCanary({ db }: Context): Promise<void> {
  await db.insert(backupCanaries).values({});
}
