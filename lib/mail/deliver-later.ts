import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../context.js";
import { deliver } from "./deliver.js";

/** Send what was queued after the reply. What cannot be sent now is repeated by the clock. */
export function deliverLater(ctx: Context, ...ids: string[]): void {
  if (ctx.env.mail.apiKey) ctx.after(() => deliver(ctx, ids));
}

/**
 * The same for a mail that is sent only where an account has the address, at a random moment within
 * seconds: its work must not slow down the caller's next call, whose time would tell.
 */
export function deliverUnnoticed(ctx: Context, id: string): void {
  if (!ctx.env.mail.apiKey) return;
  ctx.after(async () => {
    await sleep(randomInt(unnoticedMs.min, unnoticedMs.max));
    await deliver(ctx, [id]);
  });
}

export const unnoticedMs = { min: 500, max: 2000 } as const;
