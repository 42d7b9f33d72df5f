import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { isPersonBlocked } from "./account-block.js";

/** SQL. Accounts that are suspended, blocked or pending deletion do not count. */
export const otherAdminExists = (id: string): SQL => sql`exists (
  select 1 from ${users} as other
  where other.role = 'admin' and other.id <> ${id}
    and other.suspended_at is null and other.purge_at is null
    and not ${isPersonBlocked(sql`other.id`)})`;

export async function hasOtherAdmin({ db }: Context, id: string): Promise<boolean> {
  const { rows } = await db.execute<{ has: boolean }>(sql`select ${otherAdminExists(id)} as has`);
  return rows[0]?.has === true;
}
