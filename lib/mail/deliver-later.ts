import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../context.js";
import { deliver } from "./deliver.js";

/** Send queued mails after the reply. The cron job retries failed ones. Without an API key they wait. */
export function deliverLater(ctx: Context, ...ids: string[]): void {
  if (ctx.env.mail.apiKey) ctx.after(() => deliver(ctx, ids));
}

/** The same after a random delay: the caller must not be able to measure whether there is a mail to send. */
export function deliverUnnoticed(ctx: Context, id: string): void {
  if (!ctx.env.mail.apiKey) return;
  ctx.after(async () => {
    await sleep(randomInt(unnoticedMs.min, unnoticedMs.max));
    await deliver(ctx, [id]);
  });
}

const unnoticedMs = { min: 500, max: 2000 } as const;
