import type { Context } from "../context.js";
import { runDue, runEntries } from "../queue/run-due.js";
import { sweep } from "../queue/sweep.js";
import { mailKind } from "./mail-kind.js";

/** `withheld`: not sent on purpose. `expired` includes dead letters and mails queued with `send` false. */
export interface DeliveryCounts {
  sent: number;
  retried: number;
  failed: number;
  withheld: number;
  expired: number;
}

/** Send these mails if due and not leased. Safe to repeat: the provider accepts each once. */
export const deliver = (ctx: Context, ids: string[]): Promise<void> =>
  runEntries(ctx, mailKind, ids);

/** Send due mails and delete expired ones. Without an API key mails wait. */
export async function deliverDue(ctx: Context): Promise<DeliveryCounts> {
  const tally = ctx.env.mail.apiKey
    ? await runDue(ctx, mailKind)
    : { done: 0, dropped: 0, retried: 0, ...(await sweep(ctx, mailKind)) };
  const { done: sent, dropped: withheld, retried, died: failed, expired } = tally;
  return { sent, retried, failed, withheld, expired };
}
