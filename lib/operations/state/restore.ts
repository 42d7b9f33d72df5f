import { copyChangeToRedis, copyGateToRedis } from "../../admission/mirror.js";
import { postponedDays, recordRestoreBegin, recordRestoreFinish } from "../../admission/restore.js";
import type { OperatorAct } from "../../audit/audit.js";
import { restoreSessionRows } from "../../auth/session/restore-sessions.js";
import { sourceErasures } from "../../backups/source-erasures.js";
import type { Context } from "../../context.js";
import { type ErasureCopy, streamCopy } from "../../privacy/erasure-stream.js";
import { handedOverCopy, handedOverName } from "../../privacy/handed-over-copy.js";
import { repeatDeletions } from "../../privacy/repeat-deletions.js";
import { replayErasures } from "../../privacy/replay.js";
import type { ChangeOutcome } from "../act.js";
import { rebuildRedis } from "./rebuild-redis.js";

const budgetMs = 8000;

/** Closes all routes of the app until `finishRestore`. Safe to repeat. */
export async function beginRestore(ctx: Context, by: OperatorAct): Promise<ChangeOutcome> {
  await recordRestoreBegin(ctx, by);
  await copyChangeToRedis(ctx);
  return {
    done: "The app is closed: its routes answer 503 restore_in_progress. Restore the database now.",
    undo: 'npm run ops -- restore finish --reason "not restored"',
    detail: {},
  };
}

/**
 * Erases again who was erased after the backup, repeats requests and cancellations of deletions, gives sessions that Redis knows their rows, rebuilds Redis, and opens the
 * app. `listed` are the erasures of another copy; with `more` another list follows. When its time is up it leaves the app
 * closed, and the next call continues. Throws `erasures_unreadable`, and while a store is down.
 */
export async function finishRestore(
  ctx: Context,
  { listed, more }: { listed?: readonly string[] | undefined; more: boolean },
  by: OperatorAct,
): Promise<ChangeOutcome> {
  const endMs = performance.now() + budgetMs;
  // The restored database must know that it is closed, should this call end early.
  await copyGateToRedis(ctx);
  const copies = [
    streamCopy,
    ctx.env.backups.neon ? sourceErasures(ctx) : handedOverCopy(ctx),
    ...(listed ? [copyOf(listed)] : []),
  ];
  const replayed = await replayErasures(ctx, copies, endMs);
  const { erasedAgain, left, copies: read } = replayed;
  /** The log beside the backups alone: it is written each hour, and not read again later. */
  const mayLackErasures = read.every((name) => name === handedOverName);
  const detail = { erasedAgain, left, copies: read, mayLackErasures };
  if (left > 0) {
    return {
      done: `Erased ${accounts(erasedAgain)} again, ${left} are left. The app stays closed until a further call finishes.`,
      undo: null,
      detail,
    };
  }
  if (more) {
    const done = `Erased ${accounts(erasedAgain)} of this list again. The app stays closed.`;
    return { done, undo: null, detail };
  }
  const deletions = await repeatDeletions(ctx);
  const sessions = await restoreSessionRows(ctx, endMs);
  if (!sessions.isComplete) {
    return {
      done: `Restored ${sessions.restored} sessions, more are left. The app stays closed until a further call finishes.`,
      undo: null,
      detail: { ...detail, sessions: sessions.restored, sessionsLeft: true },
    };
  }
  const rebuilt = await rebuildRedis(ctx, by);
  const postponed = await recordRestoreFinish(ctx, by);
  await copyChangeToRedis(ctx);
  return {
    done: `Erased ${accounts(erasedAgain)} again by ${read.join(" and ")}, restored ${sessions.restored} sessions, repeated ${deletions.requested} requests and ${deletions.cancelled} cancellations of deletions, wrote the gate and ${rebuilt.blocks} blocks. The app is open.${postponedText(postponed.length)}${mayLackErasures ? lackText(replayed.newestErasedAt) : ""}`,
    undo: null,
    detail: { ...detail, deletions, sessions: sessions.restored, postponed },
  };
}

const accounts = (count: number) => (count === 1 ? "1 account" : `${count} accounts`);

function lackText(newestErasedAt: Date | null): string {
  const since = newestErasedAt
    ? `its newest erasure is of ${newestErasedAt.toISOString()}`
    : "it has no erasure";
  return ` REDIS HAS LOST ITS COPY, and the log beside the backups is up to an hour older than the loss: ${since}. Search the server's log for \`account_erased\` since then, and erase those accounts again: \`ops restore finish --erasures FILE\`.`;
}

function postponedText(count: number): string {
  if (count === 0) return "";
  const [what, them] =
    count === 1 ? ["1 due deletion is", "it"] : [`${count} due deletions are`, "them"];
  return ` ${what} postponed by ${postponedDays} days, in case the owner cancelled after the backup: \`ops gdpr status\` lists ${them}.`;
}

const copyOf = (userIds: readonly string[]): ErasureCopy => ({
  name: "the list",
  async *read() {
    for (const userId of userIds) yield { userId, erasedAtMs: Date.now() };
  },
});
