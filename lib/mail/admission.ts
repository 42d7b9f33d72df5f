import { inArray, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { mailBudgets, suppressedAddresses } from "../db/schema/mail.js";
import { queueEntries } from "../db/schema/queue.js";
import { addressHashes } from "./address-hash.js";
import type { MailTemplate } from "./mail.js";

export type Admission = "admitted" | "budget" | "suppressed";

/** Sliding windows. */
export const mailsMax = { perHour: 3, perDay: 10 } as const;

/** Of each window. Wrong passwords of strangers request sign-in codes: they must not use up the mails that confirm a claim. */
const mailsKeptFromSignInCodes = 1;

/** Notices of security changes: a stranger must not be able to use up their budget. Resets have a budget of their own. */
const unbudgeted: ReadonlySet<MailTemplate> = new Set([
  "reset_password",
  "password_changed",
  "email_changed",
  "email_change_undone",
  "token_reuse",
  "second_factor_changed",
  "deletion_requested",
  "deletion_cancelled",
]);

/** Whether to send this mail. Counts it in the budget of its address, once also when it is retried; security notices do not count. */
export async function admitMail(
  ctx: Context,
  id: string,
  email: string,
  template: MailTemplate,
): Promise<Admission> {
  const hashes = addressHashes(ctx.env, email);
  const [hash] = hashes;
  const isBudgeted = sql`cast(${!unbudgeted.has(template)} as boolean)`;
  const lastDay = sql`array(
    select at from unnest(budget.admitted_at) at where at > now() - interval '24 hours')`;
  const lastHour = sql`array(
    select at from unnest(budget.admitted_at) at where at > now() - interval '1 hour')`;
  const kept = template === "sign_in_code" ? mailsKeptFromSignInCodes : 0;
  const suppressed = sql`exists (
    select 1 from ${suppressedAddresses} where ${inArray(suppressedAddresses.addressHash, hashes)})`;
  const { rows } = await ctx.db.execute<{ is_suppressed: boolean; is_admitted: boolean }>(sql`
    with mail as (
      select id, admitted_at from ${queueEntries} where id = ${id} for update
    ), counted as (
      insert into ${mailBudgets} as budget (address_hash, admitted_at, last_admitted_at)
      select ${hash}, array[now()], now() from mail
      where admitted_at is null and not ${suppressed} and ${isBudgeted}
      on conflict (address_hash) do update set
        admitted_at = ${lastDay} || now(), last_admitted_at = now()
      where cardinality(${lastHour}) < ${mailsMax.perHour - kept}
        and cardinality(${lastDay}) < ${mailsMax.perDay - kept}
      returning address_hash
    ), noted as (
      update ${queueEntries} set admitted_at = now()
      where id = ${id} and exists (select 1 from counted)
      returning id
    )
    select ${suppressed} as is_suppressed,
      exists (select 1 from noted) or not ${isBudgeted}
        or exists (select 1 from mail where admitted_at is not null) as is_admitted`);
  const [found] = rows;
  if (found?.is_suppressed) return "suppressed";
  return found?.is_admitted ? "admitted" : "budget";
}
