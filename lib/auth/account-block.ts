import { type SQL, sql } from "drizzle-orm";
import { users } from "../db/schema/accounts.js";
import { blocks } from "../db/schema/gate.js";

export const isPersonBlocked = (userId: SQL) => sql<boolean>`exists (
  select 1 from ${blocks} as block where block.value = 'user:' || ${userId}
    and block.ended_at is null and block.expires_at > now())`;

export const isAccountBlocked = isPersonBlocked(sql`${users}.id`);
