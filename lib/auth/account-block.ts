import { type SQL, sql } from "drizzle-orm";
import { users } from "../db/schema/accounts.js";
import { blocks } from "../db/schema/gate.js";

/** SQL: an operator's block on this account is in force. Blocks of IP addresses do not count. */
export const isPersonBlocked = (userId: SQL) => sql<boolean>`exists (
  select 1 from ${blocks} as block where block.value = 'user:' || ${userId}
    and block.ended_at is null and block.expires_at > now())`;

/** The same for the row of `users` in the query. */
export const isAccountBlocked = isPersonBlocked(sql`${users}.id`);
