import { randomUUID } from "node:crypto";
import * as z from "zod";
import type { Context } from "../../context.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { writeOnce } from "../../db/write-once.js";
import { LanguageTag, TimeZone } from "../../user/language-tag.js";
import { Device } from "../session/device.js";
import { finishSignIn, newSessionRow, type SignInRequest } from "../session/sign-in.js";
import type { TokenPair } from "../token/token-pair.js";

export const NewGuest = z.strictObject({
  timeZone: TimeZone.optional(),
  nativeLanguage: LanguageTag.optional(),
  targetLanguage: LanguageTag.optional(),
  device: Device.optional(),
});
export type NewGuest = z.infer<typeof NewGuest>;

const guestName = "Guest";

/** Only its tokens give access to a guest account. Not idempotent. */
export async function createGuest(
  ctx: Context,
  input: NewGuest,
  client: SignInRequest,
): Promise<TokenPair> {
  const id = randomUUID();
  const row = newSessionRow(ctx, { id, isGuest: true }, input.device, client, []);
  const [[user]] = await writeOnce(ctx, row.id, [
    ctx.db
      .insert(users)
      .values({
        id,
        isGuest: true,
        name: guestName,
        timeZone: input.timeZone ?? "UTC",
        nativeLanguage: input.nativeLanguage ?? null,
        targetLanguage: input.targetLanguage ?? null,
        createdAt: ctx.now,
        updatedAt: ctx.now,
      })
      .returning(),
    ctx.db.insert(sessions).values(row),
  ]);
  if (!user) throw new Error("The inserted account was not returned.");
  return finishSignIn(ctx, user, row, client);
}
