import { type SQL, sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import type { Context } from "../../context.js";
import { users } from "../../db/schema/accounts.js";
import { preferences } from "../../db/schema/user-data.js";
import { timestamp } from "../../db/timestamp.js";
import { moveLearning } from "../../learning/move-learning.js";
import { revokeSessions } from "../session/session.js";
import type { SignInWrite } from "../session/sign-in.js";

/** Moves what the guest has learned, and its preferences if the account has none; revokes its sessions. */
export function mergeGuest(
  ctx: Context,
  guestId: string,
  accountId: string,
): Required<Pick<SignInWrite, "statements" | "revocation">> {
  const isMerged = sql`exists (
    select 1 from ${users} where id = ${guestId} and merged_into = ${accountId})`;
  const moves = [
    ...moveLearning(guestId, accountId, isMerged),
    movePreferences(guestId, accountId, isMerged),
  ].map((move) => ctx.db.execute(move));
  return {
    statements: [markMerged(ctx, guestId, accountId), ...moves],
    revocation: revokeSessions(ctx, { userId: guestId }, "account_merged", isMerged),
  };
}

/** Locks the guest's row: the statements after it see everything it has earned. */
function markMerged(ctx: Context, guestId: string, accountId: string): BatchItem<"pg"> {
  return ctx.db.execute(sql`
    with guest as (
      select id from ${users}
      where id = ${guestId} and is_guest and merged_into is null
      for update
    )
    update ${users} set is_guest = false, merged_into = cast(${accountId} as uuid),
      updated_at = ${timestamp(ctx.now)}
    from guest where users.id = guest.id`);
}

const movePreferences = (guestId: string, accountId: string, isMerged: SQL) => sql`
  with moved as (
    delete from ${preferences} where user_id = ${guestId} and ${isMerged} returning *
  )
  insert into ${preferences} (user_id, profile, version, updated_at)
  select cast(${accountId} as uuid), profile, version, updated_at from moved
  on conflict (user_id) do nothing`;
