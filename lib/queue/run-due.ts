import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../context.js";
import { claim } from "./claim.js";
import type { Entry, Failure, Kind, Outcome } from "./kind.js";
import { endEntry, moveToDeadLetters, postpone } from "./settle.js";
import { sweep } from "./sweep.js";

/** What became of the entries of a run. */
export interface Tally {
  done: number;
  dropped: number;
  retried: number;
  /** Moved to the dead letters. */
  died: number;
  expired: number;
}

/** With less than this left, no further entry is claimed. */
const leastMs = 1000;

/**
 * Do what is due of a kind, for as long as its budget, and until `endMs` (by `performance.now()`) at most.
 * Running it twice or at once is harmless: an entry belongs to the caller that holds its lease. Rejects
 * when Postgres is away.
 */
export async function runDue<Payload, Reads>(
  ctx: Context,
  kind: Kind<Payload, Reads>,
  endMs = Number.POSITIVE_INFINITY,
): Promise<Tally> {
  const lastMs = Math.min(endMs, performance.now() + kind.budgetSeconds * 1000);
  const tally = { done: 0, dropped: 0, retried: 0, ...(await sweep(ctx, kind)) };
  while (lastMs - performance.now() > leastMs) {
    const claimed = await claim(ctx, kind);
    if (claimed.length === 0) break;
    const ends = await tryAll(ctx, kind, claimed);
    for (const { end } of ends) tally[end] += 1;
    // Whatever else is due would be refused as well until then; the next run takes it.
    const pauseMs = Math.max(...ends.map(({ pauseSeconds = 0 }) => pauseSeconds * 1000));
    if (performance.now() + pauseMs >= lastMs) break;
    if (pauseMs > 0) await sleep(pauseMs);
  }
  return tally;
}

/** Do those of these entries that are due and that no other caller does. Twice or at once is harmless. */
export async function runEntries<Payload, Reads>(
  ctx: Context,
  kind: Kind<Payload, Reads>,
  ids: string[],
): Promise<void> {
  await tryAll(ctx, kind, await claim(ctx, kind, ids));
}

interface Try {
  end: "done" | "dropped" | "retried" | "died";
  pauseSeconds?: number | undefined;
}

/** Waits for all, so that one that Postgres loses does not hide the others. */
async function tryAll<Payload, Reads>(
  ctx: Context,
  kind: Kind<Payload, Reads>,
  claimed: Entry<unknown, Reads>[],
): Promise<Try[]> {
  const results = await Promise.allSettled(
    claimed.map((entry) => {
      const asQueued = { ...ctx, db: ctx.db, correlationId: entry.correlationId };
      return tryOnce(asQueued, kind, entry);
    }),
  );
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

async function tryOnce<Payload, Reads>(
  ctx: Context,
  kind: Kind<Payload, Reads>,
  claimed: Entry<unknown, Reads>,
): Promise<Try> {
  const parsed = kind.payload.safeParse(claimed.payload);
  if (!parsed.success) {
    const names = parsed.error.issues.map(({ path }) => path.join(".")).join(", ");
    const error = new Error(`The payload is not valid: ${names || "as a whole"}`);
    const reason = "invalid_payload";
    kind.log.died(ctx, { ...claimed, payload: null }, { reason, error });
    await moveToDeadLetters(ctx, kind, claimed, { reason });
    return { end: "died" };
  }
  const entry = { ...claimed, payload: parsed.data };
  let outcome: Outcome<Payload> & Partial<Failure>;
  try {
    outcome = await kind.handle(ctx, entry);
  } catch (error) {
    outcome = { end: "retry", reason: reasonOf(error), error };
  }
  if (outcome.end === "done" || outcome.end === "dropped") {
    await endEntry(ctx, kind, entry);
    return { end: outcome.end };
  }
  if (outcome.end === "dead") return die(ctx, kind, entry, outcome);
  const delaySeconds = delayOf(kind, entry.attempt, outcome.afterSeconds);
  const { pauseSeconds } = outcome;
  if (isLastTry(kind, entry, delaySeconds)) {
    return { ...(await die(ctx, kind, entry, outcome)), pauseSeconds };
  }
  kind.log.retried(ctx, entry, outcome, delaySeconds);
  await postpone(ctx, kind, entry, { ...outcome, delaySeconds });
  return { end: "retried", pauseSeconds };
}

async function die(
  ctx: Context,
  kind: Pick<Kind, "log" | "now">,
  entry: Entry,
  failure: Failure & { payload?: unknown },
): Promise<Try> {
  kind.log.died(ctx, entry, failure);
  await moveToDeadLetters(ctx, kind, entry, failure);
  return { end: "died" };
}

function isLastTry(
  { attemptsMax }: Pick<Kind, "attemptsMax">,
  entry: Entry,
  delaySeconds: number,
): boolean {
  if (attemptsMax === null) return false;
  const endMs = entry.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
  return entry.attempt >= attemptsMax || Date.now() + delaySeconds * 1000 >= endMs;
}

/** Whole seconds. */
function delayOf(
  { backoffSeconds }: Pick<Kind, "backoffSeconds">,
  attempt: number,
  afterSeconds = 0,
): number {
  const { first, max, jitter } = backoffSeconds;
  const seconds = Math.max(Math.min(max, first * 2 ** (attempt - 1)), afterSeconds);
  return Math.ceil(seconds * (1 + Math.random() * jitter));
}

/** The kind of failure alone: a message may hold personal data. */
function reasonOf(error: unknown): string {
  const { name, code } = error as { name?: string; code?: unknown };
  return [name ?? "Error", code]
    .filter((part) => typeof part === "string")
    .join(" ")
    .slice(0, 200);
}
