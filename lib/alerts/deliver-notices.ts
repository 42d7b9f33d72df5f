import type { Context } from "../context.js";
import { runDue } from "../queue/run-due.js";
import { alertNoticeKind } from "./notice-kind.js";

/** What became of notices: for `unaddressed` ones no route is set, and only the log has them. */
export interface NoticeCounts {
  sent: number;
  retried: number;
  failed: number;
  unaddressed: number;
  expired: number;
}

/** Send the notices that are due, those of one alert in their order. Twice or at once is safe. */
export async function deliverNotices(ctx: Context): Promise<NoticeCounts> {
  const tally = await runDue(ctx, alertNoticeKind);
  const { done: sent, dropped: unaddressed, retried, died: failed, expired } = tally;
  return { sent, retried, failed, unaddressed, expired };
}
