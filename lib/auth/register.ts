import { randomUUID } from "node:crypto";
import * as z from "zod";
import type { Context } from "../context.js";
import { sessions, users } from "../db/schema.js";
import { AppError } from "../errors.js";
import { LanguageTag, TimeZone } from "../user/language-tag.js";
import { Device } from "./device.js";
import { canonicalEmail } from "./email-address.js";
import { hashPassword, passwordRefusal } from "./password.js";
import { newSessionId, sessionRow } from "./session.js";
import { byPassword, finishSignIn, type SignInClient } from "./sign-in.js";
import type { TokenPair } from "./token-pair.js";

export const Registration = z.strictObject({
  email: z.string().max(254),
  password: z.string().max(512),
  name: z.string().trim().min(1).max(100),
  acceptedTerms: z.literal(true),
  timeZone: TimeZone.optional(),
  nativeLanguage: LanguageTag.optional(),
  targetLanguage: LanguageTag.optional(),
  device: Device.optional(),
});
export type Registration = z.infer<typeof Registration>;

/**
 * Make an account and sign it in. The address is only claimed, so the answer is the same whether or not
 * somebody has it already, and nothing of theirs changes. Not idempotent: each call is one account.
 * Throws `validation_failed` for an address or a password that is not acceptable.
 */
export async function register(
  ctx: Context,
  input: Registration,
  client: SignInClient,
): Promise<TokenPair> {
  const email = canonicalEmail(input.email);
  if (email === null) {
    const field = { pointer: "/email", code: "email_invalid", message: "Not an e-mail address." };
    throw new AppError("validation_failed", { fields: [field] });
  }
  const refusal = passwordRefusal(input.password, email);
  if (refusal) throw new AppError("validation_failed", { fields: [refusal] });

  const id = randomUUID();
  const session = {
    id: newSessionId(),
    userId: id,
    role: "user" as const,
    device: input.device,
    address: client.address,
    authMethods: byPassword,
    redisGeneration: client.redisGeneration,
  };
  const record = sessionRow(ctx, session);
  const passwordHash = await hashPassword(input.password);
  const [[user]] = await ctx.db.batch([
    ctx.db
      .insert(users)
      .values({
        id,
        claimedEmail: email,
        claimDevice: input.device?.id ?? null,
        passwordHash,
        name: input.name,
        timeZone: input.timeZone ?? "UTC",
        nativeLanguage: input.nativeLanguage ?? null,
        targetLanguage: input.targetLanguage ?? null,
        acceptedTermsAt: ctx.now,
        createdAt: ctx.now,
        updatedAt: ctx.now,
      })
      .returning(),
    ctx.db.insert(sessions).values(record),
  ]);
  if (!user) throw new Error("The inserted account was not returned.");
  return finishSignIn(ctx, user, session, record, client);
}
