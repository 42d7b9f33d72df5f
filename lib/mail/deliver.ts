import type { Context } from "../context.js";
import { runDue, runEntries } from "../queue/run-due.js";
import { sweep } from "../queue/sweep.js";
import { mailKind } from "./mail-kind.js";

/** What became of mails: `withheld` ones are not sent on purpose. */
export interface DeliveryCounts {
  sent: number;
  retried: number;
  failed: number;
  withheld: number;
  expired: number;
}

/**
 * Send those of these mails that are due and that no other caller is sending. Calling it twice, at once or
 * after a crash, is safe: the provider takes each once.
 */
export const deliver = (ctx: Context, ids: string[]): Promise<void> =>
  runEntries(ctx, mailKind, ids);

/** Send what is due, and remove what has expired. Without a key for the provider mails wait. */
export async function deliverDue(ctx: Context): Promise<DeliveryCounts> {
  const tally = ctx.env.mail.apiKey
    ? await runDue(ctx, mailKind)
    : { done: 0, dropped: 0, retried: 0, ...(await sweep(ctx, mailKind)) };
  const { done: sent, dropped: withheld, retried, died: failed, expired } = tally;
  return { sent, retried, failed, withheld, expired };
}
