import type { Context } from "../context.js";
import { runDue } from "../queue/run-due.js";
import { alertNoticeKind } from "./notice-kind.js";

/** `unaddressed`: no route, only logged. `failed`: now dead letters, even if the fallback took them. `expired`: with dead letters. */
export interface NoticeCounts {
  sent: number;
  retried: number;
  failed: number;
  unaddressed: number;
  expired: number;
}

/** Send due notices, those of one alert in order, and delete expired ones. Safe to repeat, also concurrently. Rejects without Postgres. */
export async function deliverNotices(ctx: Context): Promise<NoticeCounts> {
  const tally = await runDue(ctx, alertNoticeKind);
  const { done: sent, dropped: unaddressed, retried, died: failed, expired } = tally;
  return { sent, retried, failed, unaddressed, expired };
}
