import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../../context.js";
import { preparedBatchSql } from "../../db/database.js";
import { users } from "../../db/schema/accounts.js";
import { writeOnce } from "../../db/write-once.js";
import { LanguageTag, TimeZone } from "../../user/language-tag.js";
import { userFromJson } from "../../user/user.js";
import { Device } from "../session/device.js";
import { insertFirstSession } from "../session/session.js";
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
  const now = ctx.now.toISOString();
  const { timeZone = "UTC", nativeLanguage = null, targetLanguage = null } = input;
  const [{ rows }] = await writeOnce(ctx, row.id, [
    insertGuest({ id, now, timeZone, nativeLanguage, targetLanguage }),
    insertFirstSession(row),
  ]);
  const [inserted] = rows;
  if (!inserted) throw new Error("The inserted account was not returned.");
  return finishSignIn(ctx, userFromJson(inserted.user), row, client);
}

const insertGuest = preparedBatchSql<{ user: unknown }>(() => {
  const now = sql`cast(${sql.placeholder("now")} as timestamptz)`;
  return sql`
    insert into ${users}
      (id, is_guest, name, time_zone, native_language, target_language, created_at, updated_at)
    values (cast(${sql.placeholder("id")} as uuid), true, ${sql.raw(`'${guestName}'`)},
      cast(${sql.placeholder("timeZone")} as text), cast(${sql.placeholder("nativeLanguage")} as text),
      cast(${sql.placeholder("targetLanguage")} as text), ${now}, ${now})
    returning row_to_json(users) as user`;
});
