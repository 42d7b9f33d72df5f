import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { users } from "../../db/schema/accounts.js";
import { xpEntries } from "../../db/schema/learning.js";
import { mailCodes } from "../../db/schema/mail.js";
import { timestamp } from "../../db/timestamp.js";
import { AppError } from "../../errors.js";
import { isMailCode } from "../../mail/codes.js";
import { queueCodeMail } from "../../mail/queue-mail.js";
import { admitResetMail } from "../../mail/reset-budget.js";
import type { VerifiedCode } from "../email/mail-code.js";
import { claimedAt } from "../login-candidates.js";

const ttlMs = 10 * 60_000;
/** An attacker needs 2,000 IP addresses to use them up; a code has 40 random bits. */
const attemptsMax = 10_000;

export interface ResetRequester {
  deviceId: string | null;
  /** No limit per IP address; the limit per e-mail address remains. */
  isTrusted: boolean;
}

/** Also queues the mail, within the limits of `admitResetMail`. Looks up no account: every address takes the same time. */
export function issueResetCode(
  ctx: Context,
  email: string,
  { deviceId, isTrusted }: ResetRequester,
  mailId: string,
) {
  const at = (ms: number) => timestamp(new Date(ctx.now.getTime() + ms));
  const id = randomUUID();
  // The subject is the code's own id, so that several can be valid at once.
  const issued = sql`issued as (
      insert into ${mailCodes} (purpose, subject, id, email, device_id, created_at, expires_at)
      select 'reset_password', cast(${id} as text), cast(${id} as uuid), cast(${email} as text),
        cast(${deviceId} as text), ${at(0)}, ${at(ttlMs)}
      from admitted
      returning id, email, expires_at
    )`;
  return ctx.db.execute(sql`
    with ${sql.join([...admitResetMail(ctx, email, { isTrusted }), issued], sql`, `)}
    ${queueCodeMail(ctx, { id: mailId, template: "reset_password", send: true }, sql`issued`)}`);
}

/** Counts an attempt for every live code of the address; selects the account (docs/decisions/027). Throws `code_invalid`. */
export async function requireResetCode(
  ctx: Context,
  email: string,
  typed: string,
  deviceId: string | null,
): Promise<VerifiedCode> {
  const callerDevice = sql`cast(${deviceId} as text)`;
  const isClaimedOn = (device: unknown) => sql`coalesce(claim_device = ${device}, false)`;
  const points = sql`(select coalesce(sum(xp), 0) from ${xpEntries}
    where ${xpEntries.userId} = ${users.id})`;
  const { rows } = await ctx.db.execute<{ id: string; user_id: string | null }>(sql`
    with live as (
      select id from ${mailCodes}
      where purpose = 'reset_password' and email = ${email} and attempts < ${attemptsMax}
        and expires_at > ${timestamp(ctx.now)}
      order by id for update
    )
    update ${mailCodes} set attempts = attempts + 1
    from live
    where ${mailCodes.id} = live.id
    returning ${mailCodes.id}, (
      select id from ${users}
      where ${users.email} = ${email} or (${users.email} is null and claimed_email = ${email})
      order by ${users.email} is null, ${isClaimedOn(callerDevice)} desc,
        ${isClaimedOn(mailCodes.deviceId)} desc,
        case when ${isClaimedOn(callerDevice)} or ${isClaimedOn(mailCodes.deviceId)} then ${claimedAt} end,
        ${points} desc, ${claimedAt}, id
      limit 1
    ) as user_id`);
  const row = rows.find(({ id }) => isMailCode(ctx.env, id, typed));
  if (!row?.user_id) throw new AppError("code_invalid");
  return { id: row.id, userId: row.user_id, email };
}
