import { and, desc, eq, isNull, or, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { prepared } from "../db/database.js";
import { sessions, users } from "../db/schema.js";
import { AppError } from "../errors.js";
import type { UserRow } from "../user/user.js";
import { Device } from "./device.js";
import { canonicalEmail } from "./email-address.js";
import { hashPassword, isOutdated, passwordMatches } from "./password.js";
import { newSessionId, sessionRow } from "./session.js";
import { byPassword, finishSignIn, type SignInClient } from "./sign-in.js";
import type { TokenPair } from "./token-pair.js";

export const Credentials = z.strictObject({
  email: z.string().max(254),
  password: z.string().min(1).max(512),
  device: Device.optional(),
});
export type Credentials = z.infer<typeof Credentials>;

/**
 * Start a session for whoever knows the account's password. Throws `invalid_credentials`, after the
 * same work, for an unknown address and for a wrong password alike.
 */
export async function logIn(
  ctx: Context,
  input: Credentials,
  client: SignInClient,
): Promise<TokenPair> {
  // An address that cannot exist is looked up like any other, to cost the same.
  const email = canonicalEmail(input.email) ?? "";
  const user = await findAccount(ctx, email, input.device?.id ?? "");
  const passwordHash = user?.passwordHash ?? null;
  const matches = await passwordMatches(passwordHash, input.password);
  if (!user || passwordHash === null || !matches) throw new AppError("invalid_credentials");

  const session = {
    id: newSessionId(),
    userId: user.id,
    role: user.role,
    device: input.device,
    address: client.address,
    authMethods: byPassword,
    redisGeneration: client.redisGeneration,
  };
  const record = sessionRow(ctx, session);
  await ctx.db.insert(sessions).values(record);
  if (isOutdated(passwordHash)) ctx.after(() => rehash(ctx, user.id, passwordHash, input.password));
  return finishSignIn(ctx, user, session, record, client);
}

/**
 * The one account that this address and device may sign in to: the one it is bound to; else the claim
 * made on this device; else the only claim. Null when none or several are left.
 */
async function findAccount(ctx: Context, email: string, device: string): Promise<UserRow | null> {
  const [found] = await candidates(ctx.db).execute({ email, device });
  if (!found) return null;
  const { user, total } = found;
  const isBound = user.email === email;
  const isClaimedHere = device !== "" && user.claimDevice === device;
  return isBound || isClaimedHere || total === 1 ? user : null;
}

const candidates = prepared((db) =>
  db
    .select({ user: users, total: sql<number>`count(*) over ()::int` })
    .from(users)
    .where(
      or(
        eq(users.email, sql.placeholder("email")),
        and(isNull(users.email), eq(users.claimedEmail, sql.placeholder("email"))),
      ),
    )
    .orderBy(
      sql`${users.email} is null`,
      sql`${users.claimDevice} is distinct from ${sql.placeholder("device")}::text`,
      desc(users.createdAt),
    )
    .limit(1)
    .prepare("account_by_email"),
);

/** Changes nothing when the password has been changed in the meantime. */
async function rehash(
  ctx: Context,
  userId: string,
  outdated: string,
  password: string,
): Promise<void> {
  const passwordHash = await hashPassword(password);
  await ctx.db
    .update(users)
    .set({ passwordHash })
    .where(and(eq(users.id, userId), eq(users.passwordHash, outdated)));
}
