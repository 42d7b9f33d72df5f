import { eq, isNull, or, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { prepared } from "../db/database.js";
import { users } from "../db/schema/accounts.js";
import type { UserRow } from "../user/user.js";
import { isAccountBlocked } from "./account-block.js";
import { confirmedSecret, type FactorOwner } from "./second-factor/second-factor.js";

/** An account that a login may open. */
export type LoginAccount = UserRow & FactorOwner & { isBlocked: boolean };

/** The accounts that a password alone opens. */
export interface Candidates {
  /** The account that the address is bound to. */
  bound: LoginAccount | null;
  /** The claim made on the caller's device. */
  claim: LoginAccount | null;
}

/**
 * The accounts that a login for this address may open from this device (`undefined`: the login names
 * none): of several claims made on one device the oldest, without a device the newest made without one.
 * `needsCode` when there are claims that only a mailed code opens from here.
 */
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
/** The age of a claim: its account may be older. Functions of an earlier deployment write none. */
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
    // The bound account, and the first of the claims.
    .limit(2)
    .prepare("login_candidates"),
);
