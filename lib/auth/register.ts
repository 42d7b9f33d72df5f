import { randomUUID } from "node:crypto";
import { eq, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { writeOnce } from "../db/write-once.js";
import { AppError } from "../errors.js";
import { deliverLater } from "../mail/deliver-later.js";
import { newMailId } from "../mail/queue-mail.js";
import { recordConsent } from "../user/consents.js";
import { validEmail } from "../user/email-address.js";
import { LanguageTag, TimeZone } from "../user/language-tag.js";
import { secondsUntilTimeZoneMayChange, timeZoneUpdate } from "../user/time-zone.js";
import type { UserRow } from "../user/user.js";
import { issueCode } from "./email/mail-code.js";
import { findBearerGuest, type PresentedBearer } from "./guest/bearer-guest.js";
import { findPasswordViolation, hashPassword } from "./password/password.js";
import { Device } from "./session/device.js";
import {
  type AccountCondition,
  insertFirstSession,
  revokeSessions,
  type SessionRow,
} from "./session/session.js";
import {
  createSession,
  finishSignIn,
  newSessionRow,
  passwordAuthMethods,
  type SignInRequest,
} from "./session/sign-in.js";
import type { TokenPair } from "./token/token-pair.js";

export const Registration = z.strictObject({
  email: z
    .string()
    .max(254)
    .meta({ examples: ["ada@example.com"] }),
  password: z
    .string()
    .max(512)
    .meta({ examples: ["correct horse battery"] }),
  name: z
    .string()
    .trim()
    .min(1)
    .max(100)
    .meta({ examples: ["Ada"] }),
  acceptedTerms: z.literal(true),
  timeZone: TimeZone.optional(),
  nativeLanguage: LanguageTag.optional(),
  targetLanguage: LanguageTag.optional(),
  device: Device.optional(),
});
export type Registration = z.infer<typeof Registration>;

interface RegisteringClient extends SignInRequest {
  mayMailUnproven: boolean;
}

/**
 * Create an account and a session, or upgrade the bearer's guest and end its other sessions. The address is only claimed
 * (docs/decisions/006), and mailed if `mayMailUnproven`. Not idempotent. Throws `validation_failed`, `token_expired`,
 * `service_unavailable` (retry), and `session_revoked` when the guest was upgraded before.
 */
export async function register(
  ctx: Context,
  input: Registration,
  client: RegisteringClient,
  bearer: PresentedBearer,
): Promise<TokenPair> {
  const email = validEmail(input.email);
  const refusal = findPasswordViolation(input.password, email);
  if (refusal) throw new AppError("validation_failed", { fields: [refusal] });
  const guest = await findBearerGuest(ctx, bearer);
  // A retry: a second account would hide the upgraded guest.
  if (guest === "upgraded") throw new AppError("session_revoked");

  const id = guest?.id ?? randomUUID();
  const row = newSessionRow(ctx, { id, isGuest: false }, input.device, client, passwordAuthMethods);
  const account = {
    claimedEmail: email,
    claimDevice: input.device?.id ?? null,
    claimedAt: ctx.now,
    passwordHash: await hashPassword(input.password),
    name: input.name,
    isGuest: false,
    nativeLanguage: input.nativeLanguage ?? guest?.nativeLanguage ?? null,
    targetLanguage: input.targetLanguage ?? guest?.targetLanguage ?? null,
    acceptedTermsAt: ctx.now,
    updatedAt: ctx.now,
  };
  if (guest) {
    const timeZone = input.timeZone ?? guest.timeZone;
    return upgrade(ctx, guest, account, timeZone, row, client).catch(async (error) => {
      // A concurrent registration upgraded this guest first.
      const isUpgradedNow =
        error instanceof AppError && (await findBearerGuest(ctx, bearer)) === "upgraded";
      throw isUpgradedNow ? new AppError("session_revoked") : error;
    });
  }
  const { timeZone = "UTC" } = input;
  return create(ctx, { id, createdAt: ctx.now, timeZone, ...account }, row, client);
}

interface ClaimingAccount extends Partial<UserRow> {
  claimedEmail: string;
  name: string;
}

async function create(
  ctx: Context,
  account: ClaimingAccount & { id: string },
  row: SessionRow,
  client: RegisteringClient,
): Promise<TokenPair> {
  const mailId = newMailId();
  const [[user]] = await writeOnce(ctx, row.id, [
    ctx.db.insert(users).values(account).returning(),
    insertFirstSession(row),
    issueVerification(ctx, row.userId, account.claimedEmail, mailId, client),
    recordConsent(ctx, account.id),
  ]);
  if (!user) throw new Error("The inserted account was not returned.");
  deliverLater(ctx, mailId);
  return finishSignIn(ctx, user, row, client);
}

const guestUnchanged: AccountCondition = {
  unchanged: sql`${users.isGuest} and ${users.mergedInto} is null
    and ${eq(users.timeZone, sql.placeholder("timeZone"))}`,
};

/** The row lock that the new session takes serialises concurrent upgrades. */
async function upgrade(
  ctx: Context,
  guest: UserRow,
  account: ClaimingAccount,
  timeZone: string,
  row: SessionRow,
  client: RegisteringClient,
): Promise<TokenPair> {
  const mailId = newMailId();
  const moves =
    timeZone !== guest.timeZone && secondsUntilTimeZoneMayChange(ctx, guest.timeZoneChangedAt) <= 0;
  const user = { ...guest, ...account, ...(moves && { timeZone }) };
  const pair = await createSession(ctx, user, row, client, {
    condition: guestUnchanged,
    values: { timeZone: guest.timeZone },
    statements: [
      ctx.db
        .update(users)
        .set({ ...account, ...(moves && timeZoneUpdate(ctx, timeZone)) })
        .where(eq(users.id, guest.id)),
      issueVerification(ctx, row.userId, account.claimedEmail, mailId, client),
      recordConsent(ctx, guest.id),
    ],
    revocation: revokeSessions(ctx, { userId: guest.id, except: row.id }, "account_upgraded"),
  });
  deliverLater(ctx, mailId);
  return pair;
}

/** The owner of a taken address gets a mail without a code; SQL decides, at the same cost. */
function issueVerification(
  ctx: Context,
  userId: string,
  email: string,
  mailId: string,
  { mayMailUnproven }: RegisteringClient,
) {
  const isTaken = sql`exists (select 1 from ${users} where email = ${email})`;
  return issueCode(ctx, {
    purpose: "verify_email",
    subject: userId,
    userId: sql`case when ${isTaken} then null else cast(${userId} as uuid) end`,
    email,
    template: sql`case when ${isTaken} then 'address_taken' else 'verify_email' end`,
    send: mayMailUnproven,
    mailId,
  });
}
