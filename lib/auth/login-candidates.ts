import { eq, isNull, or, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { prepared } from "../db/database.js";
import { users } from "../db/schema/accounts.js";
import type { UserRow } from "../user/user.js";
import { isAccountBlocked } from "./account-block.js";
import { confirmedSecret, type FactorOwner } from "./second-factor/second-factor.js";

export type LoginAccount = UserRow & FactorOwner & { isBlocked: boolean };

export interface Candidates {
  /** The account with this verified address. */
  bound: LoginAccount | null;
  /** The oldest claim made on the caller's device; without a device, the newest claim made without one. */
  claim: LoginAccount | null;
}

/** `needsCode` when the address has claims that this caller can open only with a mailed code. */
export async function findCandidates(
  ctx: Context,
  email: string,
  device: string | undefined,
): Promise<Candidates & { needsCode: boolean }> {
  const rows = await candidates(ctx.db).execute({ email, device: device ?? null });
  const account = (row: (typeof rows)[number] | undefined) => {
    if (!row) return null;
    const { user, sealedSecret, isBlocked } = row;
    return { ...user, sealedSecret, isBlocked };
  };
  const bound = account(rows.find(({ user }) => user.email === email));
  const claim = account(
    rows.find(({ user }) => user.email === null && user.claimDevice === (device ?? null)),
  );
  const total = rows[0]?.total ?? 0;
  return { bound, claim, needsCode: bound === null && total > (claim ? 1 : 0) };
}

const device = sql`cast(${sql.placeholder("device")} as text)`;
/** SQL: `claimed_at`, or the creation time in rows of older releases, which have none. */
export const claimedAt = sql`coalesce(${users.claimedAt}, ${users.createdAt})`;

const candidates = prepared((db) =>
  db
    .select({
      user: users,
      sealedSecret: confirmedSecret,
      isBlocked: isAccountBlocked,
      total: sql<number>`count(*) over ()::int`,
    })
    .from(users)
    .where(
      or(
        eq(users.email, sql.placeholder("email")),
        sql`${isNull(users.email)} and ${eq(users.claimedEmail, sql.placeholder("email"))}`,
      ),
    )
    .orderBy(
      sql`${users.email} is null`,
      sql`${users.claimDevice} is distinct from ${device}`,
      sql`case when ${device} is not null then ${claimedAt} end`,
      sql`${claimedAt} desc`,
      users.id,
    )
    .limit(2)
    .prepare("login_candidates"),
);
