import { sql } from "drizzle-orm";
import { copyChangeToRedis, copyGateToRedis } from "../../admission/mirror.js";
import { forgetReplacedRules, replacedRules } from "../../admission/replaced-rules.js";
import {
  isRestoring,
  postponedDays,
  recordRestoreBegin,
  recordRestoreFinish,
} from "../../admission/restore.js";
import type { OperatorAct } from "../../audit/audit.js";
import { restoreSessionRows } from "../../auth/session/restore-sessions.js";
import { sourceErasures } from "../../backups/source-erasures.js";
import type { Context } from "../../context.js";
import { backupCanaries } from "../../db/schema/backups.js";
import { securitySettings } from "../../db/schema/gate.js";
import { epochMsOf } from "../../db/timestamp.js";
import { type ErasureCopy, streamCopy } from "../../privacy/erasure-stream.js";
import { handedOverCopy, handedOverName } from "../../privacy/handed-over-copy.js";
import { repeatDeletions } from "../../privacy/repeat-deletions.js";
import { findMissingErasures, reconcileErasures, replayErasures } from "../../privacy/replay.js";
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
 * app. `listed` are the erasures of another copy, none if it is empty; with `more` another list follows. When its time is up it leaves the app
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
  if (!listed && !(await isRestoring(ctx))) return nothingToFinish;
  const replayed = await replayErasures(ctx, copiesOf(ctx, listed), endMs);
  const { erasedAgain, left, copies: read } = replayed;
  const mayLackErasures = mayLack(read);
  const lacking = mayLackErasures ? await lackText(ctx, replayed.newestErasedAt) : "";
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
  const lostRules = await replacedRules(ctx);
  const postponed = await recordRestoreFinish(ctx, by);
  await copyChangeToRedis(ctx);
  // Else the hourly job does it: until then, a further restore could not read the stream that Redis has lost.
  await Promise.all([
    forgetReplacedRules(ctx),
    reconcileErasures({ ...ctx, now: new Date() }, endMs),
  ]).catch(() => {});
  return {
    done: `Erased ${accounts(erasedAgain)} again by ${read.join(" and ")}, restored ${sessions.restored} sessions, repeated ${deletions.requested} requests and ${deletions.cancelled} cancellations of deletions, wrote the gate and ${rebuilt.blocks} blocks. The app is open.${postponedText(postponed.length)}${lostRulesText(lostRules.length)}${lacking}`,
    undo: null,
    detail: { ...detail, deletions, sessions: sessions.restored, postponed, lostRules },
  };
}

/** What `finishRestore` would do. Throws as it. */
export async function previewFinish(
  ctx: Context,
  listed: readonly string[] | undefined,
): Promise<ChangeOutcome> {
  const isOpen = !(await isRestoring(ctx));
  if (!listed && isOpen) return nothingToFinish;
  const { missing, copies, newestErasedAt } = await findMissingErasures(ctx, copiesOf(ctx, listed));
  const open = isOpen ? `${noRestore}. ` : "";
  const lacking = mayLack(copies) ? await lackText(ctx, newestErasedAt) : "";
  const erasures = missing.length === 1 ? "1 erasure" : `${missing.length} erasures`;
  return {
    done: `${open}Would repeat ${erasures} by ${copies.join(" and ")}, restore sessions, rebuild Redis and open the app.${lacking}`,
    undo: null,
  };
}

const copiesOf = (ctx: Context, listed: readonly string[] | undefined): ErasureCopy[] => [
  streamCopy,
  ctx.env.backups.neon ? sourceErasures(ctx) : handedOverCopy(ctx),
  ...(listed ? [copyOf(listed)] : []),
];

/** The log beside the backups alone: it is written each hour, and not read again later. */
const mayLack = (copies: string[]) => copies.every((name) => name === handedOverName);

const noRestore = "No restore is in progress: the app is open";
const nothingToFinish: ChangeOutcome = {
  done: `${noRestore}, and nothing is done. If the database was restored, close the app first: \`ops restore begin --confirm closed\`.`,
  undo: null,
};

const accounts = (count: number) => (count === 1 ? "1 account" : `${count} accounts`);

/** Erasures before both times are in the log or in the restored database. */
async function lackText(ctx: Context, newestErasedAt: Date | null): Promise<string> {
  const newest = newestErasedAt
    ? `its newest erasure is of ${newestErasedAt.toISOString()}`
    : "it has no erasure";
  const since = Math.max(newestErasedAt?.getTime() ?? 0, (await backedUpMs(ctx)) ?? 0);
  const from = since > 0 ? new Date(since).toISOString() : "the backup was taken";
  return ` REDIS HAS LOST ITS COPY, and the log beside the backups is up to an hour older than the loss: ${newest}. Search the server's log for \`account_erased\` since ${from}, and erase those accounts again: \`ops restore finish --erasures FILE\`. If the log names no account, use \`--erasures none\`.`;
}

/** By the newest hourly canary in the restored database, at most. Null without one. */
async function backedUpMs({ db }: Context): Promise<number | null> {
  const { rows } = await db.execute<{ ms: string | null }>(sql`
    select ${epochMsOf(sql`max(at) - interval '1 minute'`)} as ms from ${backupCanaries}
    where at < (select ${securitySettings.erasuresHandedOverAt} from ${securitySettings})`);
  const ms = rows[0]?.ms;
  return ms ? Number(ms) : null;
}

function postponedText(count: number): string {
  if (count === 0) return "";
  const [what, them] =
    count === 1 ? ["1 due deletion is", "it"] : [`${count} due deletions are`, "them"];
  return ` ${what} postponed by ${postponedDays} days, in case the owner cancelled after the backup: \`ops gdpr status\` lists ${them}.`;
}

function lostRulesText(count: number): string {
  if (count === 0) return "";
  return ` ${count === 1 ? "1 BLOCK OR FLAG WAS" : `${count} BLOCKS AND FLAGS WERE`} SET AFTER THE BACKUP and ${count === 1 ? "is" : "are"} not in force now.`;
}

const copyOf = (userIds: readonly string[]): ErasureCopy => ({
  name: "the list",
  async *read() {
    for (const userId of userIds) yield { userId, erasedAtMs: Date.now() };
  },
});
