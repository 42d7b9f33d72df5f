import { eq, inArray, or } from "drizzle-orm";
import { addressSubjects } from "../auth/email/mail-code.js";
import type { Context } from "../context.js";
import { keyedHashes } from "../crypto/secret.js";
import { sessions, users } from "../db/schema/accounts.js";
import { addressHashes } from "../mail/address-hash.js";
import { accountEventKeys } from "../rate-limit/account-limit-key.js";
import { userHashes } from "../telemetry/request-event.js";
import { counterKeysOf } from "./counter-keys.js";

/** Everything by which the tables and Redis name one person. */
export interface Person {
  /** The account, then the guests that were merged into it. */
  ids: string[];
  /** Verified. An address that is only claimed, or was given up, may be another person's. */
  emails: string[];
  /** Keyed hashes of `emails` in the budgets and the suppressions of mail, under each data key, as are the others. */
  addressHashes: string[];
  /** The subjects of mailed codes: `ids`, and keyed hashes of `emails`. */
  codeSubjects: string[];
  /** Keyed hashes of `emails` in limits and security events. */
  limitKeys: string[];
  /** Keyed hashes of `ids` in the access log. */
  userHashes: string[];
  /** Counters in Postgres. */
  counterKeys: string[];
}

/** One statement each for accounts and sessions, in one transaction. Null for an unknown account. */
export async function findPerson(ctx: Context, userId: string): Promise<Person | null> {
  const { db, env } = ctx;
  const isOwn = or(eq(users.id, userId), eq(users.mergedInto, userId));
  const ids = db.select({ id: users.id }).from(users).where(isOwn);
  const [accounts, ownSessions] = await db.batch([
    db.select({ id: users.id, email: users.email }).from(users).where(isOwn),
    db.select({ id: sessions.id }).from(sessions).where(inArray(sessions.userId, ids)),
  ]);
  if (!accounts.some(({ id }) => id === userId)) return null;
  const merged = accounts.map(({ id }) => id).filter((id) => id !== userId);
  const emails = accounts.flatMap(({ email }) => email ?? []);
  const named = personOfIds(ctx, [userId, ...merged.sort()]);
  const limitKeys = emails.flatMap((email) => accountEventKeys(env, email));
  return {
    ...named,
    emails,
    addressHashes: emails.flatMap((email) => [
      ...addressHashes(env, email),
      ...keyedHashes(env, "reset-mails-email", email),
    ]),
    codeSubjects: [
      ...named.codeSubjects,
      ...emails.flatMap((email) => addressSubjects(env, email)),
    ],
    limitKeys,
    counterKeys: counterKeysOf(ctx, {
      userIds: named.ids,
      sessionIds: ownSessions.map(({ id }) => id),
      limitKeys,
    }),
  };
}

/** What is still known of erased accounts. */
export function personOfIds({ env }: Pick<Context, "env">, ids: string[]): Person {
  return {
    ids,
    emails: [],
    addressHashes: [],
    codeSubjects: ids,
    limitKeys: [],
    userHashes: ids.flatMap((id) => userHashes(env, id)),
    counterKeys: [],
  };
}
