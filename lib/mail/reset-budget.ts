import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { keyedHash } from "../crypto/secret.js";
import { mailBudgets } from "../db/schema/mail.js";
import type { Env } from "../env.js";
import { addressLimitKey } from "../ip-address.js";

/** An address also gets the first mail in ten minutes: its last code has then expired (docs/decisions/027). */
export const resetMailsPerHourMax = { ip: 3, email: 10 } as const;
export const resetPauseMs = 10 * 60_000;

export const resetMailHashes = {
  email: (env: Env, email: string) => keyedHash(env, "reset-mails-email", email),
  ip: (env: Env, address: string | undefined) =>
    keyedHash(env, "reset-mails-ip", addressLimitKey(address)),
};

/** CTEs that count a mail; `admitted` has a row if the budgets of the address and of an untrusted IP address allow it. */
export function admitResetMail(
  { env, address }: Pick<Context, "env" | "address">,
  email: string,
  { isTrusted }: { isTrusted: boolean },
): SQL[] {
  const ofEmail = resetMailHashes.email(env, email);
  const ofIp = resetMailHashes.ip(env, address);
  const isAdmitted = sql`(${hasRoomFor(resetMailsPerHourMax.email)} or ${isFirstInTenMinutes})`;
  const hasRoom = sql`not exists (
    select 1 from ${mailBudgets} as budget
    where address_hash = ${ofEmail} and not ${isAdmitted})`;
  const ip = isTrusted
    ? sql`counted_ip as (select 1)`
    : sql`counted_ip as (${count(ofIp, hasRoomFor(resetMailsPerHourMax.ip), sql`where ${hasRoom}`)})`;
  return [ip, sql`admitted as (${count(ofEmail, isAdmitted, sql`from counted_ip`)})`];
}

const lastHour = sql`array(
  select at from unnest(budget.admitted_at) at where at > now() - interval '1 hour')`;

const hasRoomFor = (max: number) => sql`cardinality(${lastHour}) < ${max}`;

const isFirstInTenMinutes = sql`budget.last_admitted_at <= now() - make_interval(secs => ${resetPauseMs / 1000})`;

/** The upsert sees the latest row, so that concurrent calls cannot exceed the budget. */
const count = (hash: string, isAdmitted: SQL, condition: SQL) => sql`
  insert into ${mailBudgets} as budget (address_hash, admitted_at, last_admitted_at)
  select cast(${hash} as text), array[now()], now() ${condition}
  on conflict (address_hash) do update set
    admitted_at = ${lastHour} || now(), last_admitted_at = now()
  where ${isAdmitted}
  returning 1`;
