import { randomUUID } from "node:crypto";
import { eq, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { sessions, users } from "../db/schema/accounts.js";
import { writeOnce } from "../db/write-once.js";
import { AppError } from "../errors.js";
import { deliverLater } from "../mail/deliver-later.js";
import { newMailId } from "../mail/outbox.js";
import { canonicalEmail } from "../user/email-address.js";
import { LanguageTag, TimeZone } from "../user/language-tag.js";
import { secondsUntilMove, zoneToStore } from "../user/time-zone.js";
import type { UserRow } from "../user/user.js";
import { issueCode } from "./email/mail-code.js";
import { findShownGuest, type ShownBearer } from "./guest/shown-guest.js";
import { hashPassword, passwordRefusal } from "./password/password.js";
import { Device } from "./session/device.js";
import { revokeSessions, type SessionRow } from "./session/session.js";
import {
  beginSession,
  byPassword,
  finishSignIn,
  newSession,
  type SignInClient,
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

interface RegisteringClient extends SignInClient {
  /** False keeps the mail from being sent. */
  mayMailUnproven: boolean;
}

/**
 * Make an account and sign it in. The address is only claimed, so the answer is the same whether or not
 * somebody has it already, and nothing of theirs changes. With a guest's bearer it is that account which
 * gets the address, and its other sessions end; its time zone moves by the rule of `PATCH /api/user`, and
 * stays where that would refuse. Not idempotent: each call is one account, but a guest is
 * upgraded once: `session_revoked` afterwards. Throws `validation_failed` for an address or a password
 * that is not acceptable, `token_expired` for a guest who needs a refresh.
 */
export async function register(
  ctx: Context,
  input: Registration,
  client: RegisteringClient,
  bearer: ShownBearer,
): Promise<TokenPair> {
  const email = canonicalEmail(input.email);
  if (email === null) {
    const field = { pointer: "/email", code: "email_invalid", message: "Not an e-mail address." };
    throw new AppError("validation_failed", { fields: [field] });
  }
  const refusal = passwordRefusal(input.password, email);
  if (refusal) throw new AppError("validation_failed", { fields: [refusal] });
  const guest = await findShownGuest(ctx, bearer);
  // A repetition: another account would hide the one that the guest has become.
  if (guest === "upgraded") throw new AppError("session_revoked");

  const id = guest?.id ?? randomUUID();
  const row = newSession(ctx, { id, isGuest: false }, input.device, client, byPassword);
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
      // Another registration of this guest came first.
      const isOvertaken =
        error instanceof AppError && (await findShownGuest(ctx, bearer)) === "upgraded";
      throw isOvertaken ? new AppError("session_revoked") : error;
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
    ctx.db.insert(sessions).values(row),
    issueVerification(ctx, row.userId, account.claimedEmail, mailId, client),
  ]);
  if (!user) throw new Error("The inserted account was not returned.");
  deliverLater(ctx, mailId);
  return finishSignIn(ctx, user, row, client);
}

/** Decided by the lock on the guest that its new session takes: of several at once, one upgrades it. */
async function upgrade(
  ctx: Context,
  guest: UserRow,
  account: ClaimingAccount,
  timeZone: string,
  row: SessionRow,
  client: RegisteringClient,
): Promise<TokenPair> {
  const mailId = newMailId();
  const moves = timeZone !== guest.timeZone && secondsUntilMove(ctx, guest.timeZoneChangedAt) <= 0;
  const user = { ...guest, ...account, ...(moves && { timeZone }) };
  const pair = await beginSession(ctx, user, row, client, {
    unchanged: sql`${users.isGuest} and ${users.mergedInto} is null
      and ${eq(users.timeZone, guest.timeZone)}`,
    alongside: [
      ctx.db
        .update(users)
        .set({ ...account, ...(moves && zoneToStore(ctx, timeZone)) })
        .where(eq(users.id, guest.id)),
      issueVerification(ctx, row.userId, account.claimedEmail, mailId, client),
    ],
    ending: revokeSessions(ctx, { userId: guest.id, except: row.id }, "account_upgraded"),
  });
  deliverLater(ctx, mailId);
  return pair;
}

/**
 * The code that binds the claim. Whoever the address is bound to is told instead, with a code that
 * matches nothing: the statement decides, so that both cost the same.
 */
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
