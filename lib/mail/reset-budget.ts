import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { keyedHash } from "../crypto/secret.js";
import { mailBudgets } from "../db/schema/mail.js";
import { limitedAddress } from "../ip-address.js";

/**
 * In any hour; to an e-mail address also the first in ten minutes, which is how long a code lives: somebody
 * who has used up the budget has left a code that works, or the next one is mailed. Apart from the
 * budget of other mails, so that neither can use up the other's.
 */
const perHour = { ip: 3, email: 10 } as const;

/**
 * Parts of a statement, the last of which (`admitted`) has a row if one more mail for a reset may go to
 * this address at the request of this caller. It is counted for the IP address and for the e-mail
 * address, or for neither. An IP address that is trusted has no budget.
 */
export function admitResetMail(
  { env, address }: Pick<Context, "env" | "address">,
  email: string,
  { isTrusted }: { isTrusted: boolean },
): SQL[] {
  const ofEmail = keyedHash(env, "reset-mails-email", email);
  const ofIp = keyedHash(env, "reset-mails-ip", limitedAddress(address));
  const isAdmitted = sql`(${hasRoomFor(perHour.email)} or ${isFirstInTenMinutes})`;
  const hasRoom = sql`not exists (
    select 1 from ${mailBudgets} as budget
    where address_hash = ${ofEmail} and not ${isAdmitted})`;
  const ip = isTrusted
    ? sql`counted_ip as (select 1)`
    : sql`counted_ip as (${count(ofIp, hasRoomFor(perHour.ip), sql`where ${hasRoom}`)})`;
  return [ip, sql`admitted as (${count(ofEmail, isAdmitted, sql`from counted_ip`)})`];
}

const lastHour = sql`array(
  select at from unnest(budget.admitted_at) at where at > now() - interval '1 hour')`;

const hasRoomFor = (max: number) => sql`cardinality(${lastHour}) < ${max}`;

const isFirstInTenMinutes = sql`budget.last_admitted_at <= now() - interval '10 minutes'`;

/** The conflict reads the row as the last caller left it: no number of calls at once gets more than it may. */
const count = (hash: string, isAdmitted: SQL, condition: SQL) => sql`
  insert into ${mailBudgets} as budget (address_hash, admitted_at, last_admitted_at)
  select cast(${hash} as text), array[now()], now() ${condition}
  on conflict (address_hash) do update set
    admitted_at = ${lastHour} || now(), last_admitted_at = now()
  where ${isAdmitted}
  returning 1`;
