import { eq, inArray, or } from "drizzle-orm";
import type { Context } from "../context.js";
import { keyedHashes } from "../crypto/secret.js";
import { sessions, users } from "../db/schema/accounts.js";
import { emailChanges } from "../db/schema/mail.js";
import { addressHashes } from "../mail/address-hash.js";
import { accountLimitKey } from "../rate-limit/account-limit-key.js";
import { userHashes } from "../telemetry/request-event.js";

/** Everything by which the tables and Redis name one person. */
export interface Person {
  /** The account, then the guests that were merged into it. */
  ids: string[];
  /** Verified now or in the last days. An address that is only claimed may be another person's. */
  emails: string[];
  claimedEmails: string[];
  /** Keyed hashes of `emails` in the budgets and the suppressions of mail, under each data key. */
  addressHashes: string[];
  /** Keyed hashes of all addresses in the limits of sign-ins. */
  limitKeys: string[];
  /** Keyed hashes of `ids` in the access log, under each data key. */
  userHashes: string[];
  sessions: { id: string; revokedAt: Date | null }[];
  deviceIds: string[];
}

/** One statement each for accounts, sessions and changes of e-mail, in one transaction. Null for an unknown account. */
export async function findPerson({ db, env }: Context, userId: string): Promise<Person | null> {
  const isOwn = or(eq(users.id, userId), eq(users.mergedInto, userId));
  const ids = db.select({ id: users.id }).from(users).where(isOwn);
  const [accounts, ownSessions, changes] = await db.batch([
    db
      .select({ id: users.id, email: users.email, claimedEmail: users.claimedEmail })
      .from(users)
      .where(isOwn),
    db
      .select({ id: sessions.id, revokedAt: sessions.revokedAt, deviceId: sessions.deviceId })
      .from(sessions)
      .where(inArray(sessions.userId, ids)),
    db
      .select({ email: emailChanges.oldEmail })
      .from(emailChanges)
      .where(inArray(emailChanges.userId, ids)),
  ]);
  if (!accounts.some(({ id }) => id === userId)) return null;
  const merged = accounts.map(({ id }) => id).filter((id) => id !== userId);
  const emails = unique([...accounts, ...changes].map(({ email }) => email));
  const claimedEmails = unique(accounts.map(({ claimedEmail }) => claimedEmail));
  return {
    ids: [userId, ...merged.sort()],
    emails,
    claimedEmails,
    addressHashes: emails.flatMap((email) => [
      ...addressHashes(env, email),
      ...keyedHashes(env, "reset-mails-email", email),
    ]),
    limitKeys: [...emails, ...claimedEmails].map((email) => accountLimitKey(env, email)),
    userHashes: [userId, ...merged].flatMap((id) => userHashes(env, id)),
    sessions: ownSessions.map(({ id, revokedAt }) => ({ id, revokedAt })),
    deviceIds: unique(ownSessions.map(({ deviceId }) => deviceId)),
  };
}

const unique = (values: (string | null)[]) => [
  ...new Set(values.filter((value) => value !== null)),
];
