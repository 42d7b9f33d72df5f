import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { mailBudgets } from "../db/schema/mail.js";
import { addressHash } from "./address-hash.js";
import { mailsMax } from "./admission.js";
import { resetMailHashes, resetMailsPerHourMax, resetPauseMs } from "./reset-budget.js";

/** How much of a limit of mails is used. A reset mail can exceed the limit when none was sent for ten minutes. */
export const MailBudgetUse = z.strictObject({
  budget: z.enum(["mails per hour", "mails per day", "reset mails per hour"]),
  used: z.int(),
  max: z.int(),
  /** When the next mail is allowed; null while one is. */
  fullUntil: z.iso.datetime().nullable(),
});
export type MailBudgetUse = z.infer<typeof MailBudgetUse>;

const hourMs = 3_600_000;

/** Those with any use, of a canonical e-mail address or of the IP address of a caller. */
export async function listMailBudgetUse(
  ctx: Context,
  { email, ip }: { email: string | null; ip: string | undefined },
): Promise<MailBudgetUse[]> {
  if (email !== null) {
    const [mail, reset] = [addressHash(ctx.env, email), resetMailHashes.email(ctx.env, email)];
    const times = await readTimes(ctx, [mail, reset]);
    const { perHour, perDay } = mailsMax;
    return [
      useOf(ctx, "mails per hour", times(mail), { max: perHour, windowMs: hourMs }),
      useOf(ctx, "mails per day", times(mail), { max: perDay, windowMs: 24 * hourMs }),
      useOf(ctx, "reset mails per hour", times(reset), {
        max: resetMailsPerHourMax.email,
        windowMs: hourMs,
        pauseMs: resetPauseMs,
      }),
    ].flat();
  }
  if (ip === undefined) return [];
  const hash = resetMailHashes.ip(ctx.env, ip);
  const times = await readTimes(ctx, [hash]);
  const limit = { max: resetMailsPerHourMax.ip, windowMs: hourMs };
  return useOf(ctx, "reset mails per hour", times(hash), limit);
}

/** Of each hash, oldest first. */
async function readTimes({ db }: Context, hashes: string[]): Promise<(hash: string) => number[]> {
  const { rows } = await db.execute<{ hash: string; ms: string }>(sql`
    select address_hash as hash, cast(extract(epoch from at) * 1000 as bigint) as ms
    from ${mailBudgets}, unnest(admitted_at) as at
    where address_hash = any(${sql.param(hashes)}::text[])`);
  const ordered = rows.map(({ hash, ms }) => ({ hash, ms: Number(ms) }));
  ordered.sort((one, other) => one.ms - other.ms);
  return (hash) => ordered.filter((row) => row.hash === hash).map(({ ms }) => ms);
}

interface Limit {
  max: number;
  windowMs: number;
  /** Also allowed when the last mail is this old. */
  pauseMs?: number;
}

function useOf(
  { now }: Context,
  budget: MailBudgetUse["budget"],
  times: number[],
  { max, windowMs, pauseMs = Number.POSITIVE_INFINITY }: Limit,
): MailBudgetUse[] {
  const inWindow = times.filter((ms) => ms > now.getTime() - windowMs);
  const used = inWindow.length;
  if (used === 0) return [];
  const roomMs = (inWindow[used - max] ?? Number.NEGATIVE_INFINITY) + windowMs;
  const nextMs = Math.min(roomMs, (inWindow.at(-1) ?? 0) + pauseMs);
  const fullUntil = nextMs > now.getTime() ? new Date(nextMs).toISOString() : null;
  return [{ budget, used, max, fullUntil }];
}
