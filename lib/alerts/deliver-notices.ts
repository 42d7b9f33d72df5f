import type { Context } from "../context.js";
import { runDue } from "../queue/run-due.js";
import { alertNoticeKind } from "./notice-kind.js";

/** `unaddressed`: no route is configured, so only the log has the notice. */
export interface NoticeCounts {
  sent: number;
  retried: number;
  failed: number;
  unaddressed: number;
  expired: number;
}

/** Send due notices, those of one alert in order. Safe to repeat and to run concurrently. */
export async function deliverNotices(ctx: Context): Promise<NoticeCounts> {
  const tally = await runDue(ctx, alertNoticeKind);
  const { done: sent, dropped: unaddressed, retried, died: failed, expired } = tally;
  return { sent, retried, failed, unaddressed, expired };
}
